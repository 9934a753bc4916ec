# Every target is one line that calls the dojo. `make` alone lists the commands that a student needs.
# Values are passed in the environment, word for word: neither make nor the shell interprets them.

PYTHON ?= python3
override N := $(value N)
override K := $(value K)
override TRACK := $(value TRACK)
override ARGS := $(value ARGS)
override FORCE := $(value FORCE)
override MODE := $(if $(findstring command,$(origin MODE)),$(value MODE))
override JSON := $(if $(findstring command,$(origin JSON)),$(value JSON))
override PEERS := $(value PEERS)
override SCALING := $(value SCALING)
override DATA := $(value DATA)
# WSL has a NAME in every environment: these count only if they were typed.
override NAME := $(if $(findstring command,$(origin NAME)),$(value NAME))
override F := $(if $(findstring command,$(origin F)),$(value F))
override TO := $(if $(findstring command,$(origin TO)),$(value TO))
override DIR := $(if $(findstring command,$(origin DIR)),$(value DIR))
# So do these: shells have a HOST, some machines a PORT. IMPL counts wherever it comes from.
SERVER = PORT HOST BUNDLE INSPECT
override IMPL := $(value IMPL)
# Those of the instructor's commands, which count only if they were typed, too.
INSTRUCTOR = SUBMISSIONS OUT ROSTER POINTS JOBS ONLY SHARD DASK DIFF POLICY DRY WHOLE CHECK UNSAFE SOLUTIONS
typed = $(if $(findstring command,$(origin $1)),$(value $1))
$(foreach each,$(SERVER) $(INSTRUCTOR),$(eval override $(each) := $$(call typed,$(each))))
export $(SERVER) IMPL $(INSTRUCTOR)
export N K TRACK ARGS FORCE PEERS SCALING DATA NAME DIR F TO MODE JSON

DOJO = @exec $(PYTHON) dojo/__main__.py

.PHONY: help kata watch hint board milestone serve bundle show hunt data path take diff another start reset restore solutions-branch doctor
.PHONY: grade compare gradescope student-edition nbgrader site
.PHONY: test test-teach bench dev-gate dev-gate-torch dev-mutants dev-skeleton dev-specs dev-pictures

help:             ; $(DOJO)
kata:             ; $(DOJO) kata N="$$N" TRACK="$$TRACK" K="$$K" ARGS="$$ARGS" JSON="$$JSON"
watch:            ; $(DOJO) watch N="$$N" TRACK="$$TRACK"
hint:             ; $(DOJO) hint N="$$N" TRACK="$$TRACK" K="$$K" JSON="$$JSON"
board:            ; $(DOJO) board JSON="$$JSON"
milestone:        ; $(DOJO) milestone N="$$N" TRACK="$$TRACK" DATA="$$DATA" ARGS="$$ARGS"
serve:            ; $(DOJO) serve PORT="$$PORT" HOST="$$HOST" BUNDLE="$$BUNDLE" IMPL="$$IMPL" ARGS="$$ARGS"
bundle:           ; $(DOJO) bundle BUNDLE="$$BUNDLE" INSPECT="$$INSPECT" DIR="$$DIR" IMPL="$$IMPL" ARGS="$$ARGS" FORCE="$$FORCE"
show:             ; $(DOJO) show N="$$N"
hunt:             ; $(DOJO) hunt N="$$N" F="$$F" MODE="$$MODE" FORCE="$$FORCE" JSON="$$JSON"
data:             ; $(DOJO) data NAME="$$NAME" DIR="$$DIR"
path:             ; $(DOJO) path TO="$$TO"
take:             ; $(DOJO) take N="$$N" F="$$F" FORCE="$$FORCE"
diff:             ; $(DOJO) diff N="$$N"
another:          ; $(DOJO) another N="$$N" F="$$F"
start:            ; $(DOJO) start N="$$N" FORCE="$$FORCE"
reset:            ; $(DOJO) reset N="$$N"
restore:          ; $(DOJO) restore N="$$N"
solutions-branch: ; $(DOJO) solutions-branch
doctor:           ; $(DOJO) doctor

# For instructors: docs/instructor-guide.md.
grade:            ; $(DOJO) grade N="$$N" $(foreach each,$(INSTRUCTOR),$(each)="$$$(each)")
compare:          ; $(DOJO) compare N="$$N" SUBMISSIONS="$$SUBMISSIONS" ROSTER="$$ROSTER" OUT="$$OUT"
gradescope:       ; $(DOJO) gradescope N="$$N" OUT="$$OUT" POINTS="$$POINTS"
student-edition:  ; $(DOJO) student-edition N="$$N" OUT="$$OUT" DIFF="$$DIFF" POLICY="$$POLICY"
nbgrader:         ; $(DOJO) nbgrader N="$$N" OUT="$$OUT"
site:             ; $(DOJO) site OUT="$$OUT" SOLUTIONS="$$SOLUTIONS"

# For maintainers: docs/development.md.
test:             ; $(DOJO) test ARGS="$$ARGS"
test-teach:       ; $(DOJO) test --teach ARGS="$$ARGS"
bench:            ; $(DOJO) bench ARGS="$$ARGS" PEERS="$$PEERS" SCALING="$$SCALING" DIR="$$DIR"
dev-gate:         ; $(DOJO) dev-gate N="$$N"
dev-gate-torch:   ; $(DOJO) dev-gate-torch N="$$N"
dev-mutants:      ; $(DOJO) dev-mutants N="$$N" FORCE="$$FORCE"
dev-skeleton:     ; $(DOJO) dev-skeleton FORCE="$$FORCE"
dev-specs:        ; $(DOJO) dev-specs
dev-pictures:     ; $(DOJO) dev-pictures
