"use strict";

// The page of the server. It asks POST /v1/completions for a stream of tokens, and POST /api/attention for a map.
// What the model has written is only ever put into the page with textContent: it is text, and never HTML.

const $ = (id) => document.getElementById(id);
const LIKELIEST = 5; // other tokens that are shown beside each
const SURPRISE = 7; // the negative logarithm of a probability that gets the strongest colour: about 1 in 1,000

// Numbers and tokens as people read them ------------------------------------------------------------------

const percent = (p) => (p < 0.001 ? "under 0.1 %" : `${(100 * p).toFixed(1)} %`);
const counted = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

/** A token with its white space visible: “⏎␣×8” for a line break and eight spaces. */
function visible(text) {
  const signs = text.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");
  return `“${signs.replace(/([␣⏎⇥])\1{2,}/g, (run, sign) => `${sign}×${run.length}`)}”`;
}

/** A token for a screen reader, which would be silent about white space. */
function spoken(text) {
  return text.replaceAll(" ", " space ").replaceAll("\n", " line break ").replaceAll("\t", " tab ").trim();
}

/** A new element with a text. */
function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Asking the server ---------------------------------------------------------------------------------------

/** An answer of the server that is an error, or no answer at all: its message is a sentence for a person. */
class Problem extends Error {}

/** The response to a POST of JSON. */
async function post(path, body, signal) {
  const headers = { "content-type": "application/json" };
  if ($("key").value) headers.authorization = `Bearer ${$("key").value}`;
  let response;
  try {
    response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server cannot be reached: is it still running?");
  }
  if (response.ok) return response;
  if (response.status === 401) $("for-key").hidden = false;
  const wait = response.headers.get("retry-after");
  const later = wait ? ` Try again in ${counted(Number(wait), "second")}.` : "";
  const told = await response.json().catch(() => ({}));
  throw new Problem((told.error?.message ?? `The server answers ${response.status}.`) + later);
}

/** The JSON objects of a stream of events, up to its [DONE]. */
async function* chunks(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      part = { done: true };
    }
    if (part.done) throw new Problem("The connection to the server was lost.");
    const events = (rest + part.value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Problem(chunk.error.message);
      yield chunk;
    }
  }
}

// The sliders ---------------------------------------------------------------------------------------------

const SHOWN = {
  temperature: (value) => Number(value).toFixed(2),
  top_k: (value) => (value === "0" ? "off" : value),
  top_p: (value) => (value === "1" ? "off" : Number(value).toFixed(2)),
  max_tokens: (value) => value,
};

for (const [id, shown] of Object.entries(SHOWN)) {
  const show = () => {
    document.querySelector(`output[for="${id}"]`).value = shown($(id).value);
    $(id).setAttribute("aria-valuetext", shown($(id).value));
  };
  $(id).addEventListener("input", show);
  show();
}

/** The body of the request that the form describes. */
function asked() {
  const body = {
    prompt: $("prompt").value,
    temperature: Number($("temperature").value),
    top_p: Number($("top_p").value),
    max_tokens: Number($("max_tokens").value),
    logprobs: LIKELIEST,
    stream: true,
  };
  if ($("top_k").value !== "0") body.top_k = Number($("top_k").value);
  return body;
}

// Writing -------------------------------------------------------------------------------------------------

// A piece is what came in one event: its text, and the tokens that it is made of. A character may take several tokens,
// and the first of them come without a text: they wait for the piece that has it.
let pieces = [];
let prompt = "";
let running = null; // the AbortController of the request that is being answered

async function write() {
  running?.abort();
  const mine = (running = new AbortController());
  begin();
  let waiting = [];
  let tokens = 0;
  let first = 0;
  let last = 0;
  let said = "";
  try {
    const response = await post("v1/completions", asked(), mine.signal);
    for await (const chunk of chunks(response)) {
      const choice = chunk.choices[0];
      if (!choice) continue;
      waiting.push(...tokensOf(choice.logprobs));
      tokens += choice.logprobs?.tokens.length ?? 0;
      last = performance.now();
      first ||= last;
      if (choice.text) {
        append({ text: choice.text, tokens: waiting });
        waiting = [];
      }
      $("speed").textContent = pace(tokens, last - first);
    }
    said = "Finished";
  } catch (error) {
    if (mine !== running) return; // a newer one has begun
    said = "Stopped";
    if (error.name !== "AbortError") {
      said = "Broken off";
      const kept = tokens ? " What had come stays here." : "";
      complain(`${error instanceof Problem ? error.message : "The page has failed: " + error.message}${kept}`);
    }
  }
  if (mine === running) end(`${said}: ${pace(tokens, last - first)}.`);
}

/** The tokens of an event, each with its probability and the likeliest ones in its place. */
function tokensOf(logprobs) {
  return (logprobs?.tokens ?? []).map((text, i) => ({
    text,
    p: Math.exp(logprobs.token_logprobs[i]),
    top: Object.entries(logprobs.top_logprobs?.[i] ?? {}).map(([other, logprob]) => [other, Math.exp(logprob)]),
  }));
}

function pace(tokens, milliseconds) {
  const speed = tokens > 1 && milliseconds > 0 ? `, ${((1000 * (tokens - 1)) / milliseconds).toFixed(1)} tokens per second` : "";
  return counted(tokens, "token") + speed;
}

function begin() {
  pieces = [];
  prompt = $("prompt").value;
  $("text").replaceChildren(element("span", prompt, "prompt"));
  $("text").setAttribute("aria-busy", "true"); // to be read when it is finished
  $("problem").hidden = true;
  $("status").textContent = "Writing …";
  $("speed").textContent = "";
  forgetToken();
  forgetAttention();
  $("stop").disabled = false;
  if (document.activeElement === $("write")) $("stop").focus();
  $("write").disabled = true;
  $("look").disabled = false;
}

function end(said) {
  running = null;
  $("status").textContent = said;
  $("speed").textContent = "";
  $("text").removeAttribute("aria-busy");
  $("write").disabled = false;
  if (document.activeElement === $("stop")) $("write").focus();
  $("stop").disabled = true;
}

function complain(sentence) {
  $("problem").textContent = sentence;
  $("problem").hidden = false;
}

function append(piece) {
  piece.p = piece.tokens.reduce((product, token) => product * token.p, 1);
  piece.span = element("span", piece.text, "token");
  piece.span.dataset.number = pieces.push(piece);
  piece.span.style.setProperty("--share", Math.min(-Math.log(piece.p) / SURPRISE, 1));
  $("text").append(piece.span);
  $("token").max = pieces.length;
  $("token").disabled = false;
  valueText();
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
$("stop").addEventListener("click", () => running?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
});

// One token -----------------------------------------------------------------------------------------------

function forgetToken() {
  $("token").max = $("token").value = 1;
  $("token").disabled = true;
  $("which").textContent = "Point at a token, or choose one with this slider.";
  $("others").replaceChildren();
}

/** Show one token, by its number in the text. */
function showToken(number) {
  const piece = pieces[number - 1];
  if (!piece) return;
  $("text").querySelector(".current")?.classList.remove("current");
  piece.span.classList.add("current");
  const many = piece.tokens.length > 1 ? `, ${piece.tokens.length} tokens together` : "";
  $("which").textContent = `Token ${number} of ${pieces.length}: ${visible(piece.text)}, ${percent(piece.p)}${many}`;
  const [only] = piece.tokens.length === 1 ? piece.tokens : [];
  const likeliest = (only?.top ?? []).toSorted((a, b) => b[1] - a[1]);
  $("others").replaceChildren(...likeliest.map(([text, p]) => bar(visible(text), p)));
  $("others").children[likeliest.findIndex(([text]) => text === only.text)]?.classList.add("drawn");
}

function bar(name, share, kind = "li") {
  const made = element(kind, "", "bar");
  made.style.setProperty("--share", share);
  made.append(element("span", name, "name"), element("span", percent(share), "number"));
  return made;
}

function valueText() {
  const piece = pieces[$("token").value - 1];
  if (piece) $("token").setAttribute("aria-valuetext", `${spoken(piece.text)}, ${percent(piece.p)}`);
}

function choose(number) {
  $("token").value = number;
  valueText();
  showToken(number);
}

$("token").addEventListener("input", () => choose(Number($("token").value)));
$("token").addEventListener("focus", () => showToken(Number($("token").value)));
$("text").addEventListener("mouseover", (event) => showToken(Number(event.target.dataset.number)));
$("text").addEventListener("click", (event) => {
  if (!event.target.dataset.number) return;
  choose(Number(event.target.dataset.number));
  $("token").focus({ preventScroll: true }); // the arrow keys go on from here
});

// Attention -----------------------------------------------------------------------------------------------

let looking = null; // the AbortController of the last question

function forgetAttention() {
  looking?.abort();
  $("map").hidden = true;
  $("layer").replaceChildren();
  $("attention-status").textContent = "";
}

/** Ask for the attention in a layer, by default the last one, and show it. */
async function look(layer) {
  looking?.abort();
  looking = new AbortController();
  $("attention-status").textContent = "The model reads the text once more …";
  const text = prompt + pieces.map((piece) => piece.text).join("");
  try {
    const response = await post("api/attention", { prompt: text, layer }, looking.signal);
    showMap(await response.json());
  } catch (error) {
    if (error.name === "AbortError") return;
    $("attention-status").textContent = error instanceof Problem ? error.message : "The connection was lost.";
  }
}

function showMap(map) {
  const last = visible(map.tokens.at(-1));
  $("attention-status").textContent = `Of ${counted(map.tokens.length, "token")}, the last one is ${last}.`;
  const layers = Array.from({ length: map.layers }, (_, i) => new Option(`${i + 1} of ${map.layers}`, i));
  $("layer").replaceChildren(...layers);
  $("layer").value = map.layer;
  const mean = map.tokens.map((_, i) => map.heads.reduce((sum, head) => sum + head[i], 0) / map.heads.length);
  const choices = [["All heads", mean], ...map.heads.map((head, i) => [`Head ${i + 1}`, head])];
  $("heads").replaceChildren(
    $("heads").querySelector("legend"),
    ...choices.map(([name, head], i) => headChoice(name, head, map.tokens, i === 0)),
  );
  showHead(mean, map.tokens);
  $("map").hidden = false;
}

/** A radio button for a head, with the token that it looks at most. */
function headChoice(name, head, tokens, checked) {
  const most = head.indexOf(Math.max(...head));
  const label = bar(visible(tokens[most]), head[most], "label");
  const radio = document.createElement("input");
  Object.assign(radio, { type: "radio", name: "head", checked });
  radio.addEventListener("change", () => showHead(head, tokens));
  label.prepend(radio, element("span", name, "head"));
  return label;
}

/** Colour each token of the text by its share of the attention. */
function showHead(head, tokens) {
  const most = Math.max(...head);
  const spans = tokens.map((text, i) => {
    const span = element("span", text, i === tokens.length - 1 ? "token last" : "token");
    span.style.setProperty("--share", head[i] / most);
    span.title = percent(head[i]);
    return span;
  });
  $("looked").replaceChildren(...spans);
}

$("look").addEventListener("click", () => look());
$("layer").addEventListener("change", () => look(Number($("layer").value)));

// The beginning -------------------------------------------------------------------------------------------

document.querySelector("main").hidden = false; // it is of use from here on

fetch("v1/models")
  .then((response) => response.json())
  .then((models) => ($("model").textContent = models.data[0].id))
  .catch(() => {}); // it is told when somebody writes
