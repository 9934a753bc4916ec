"""Classic mistakes of kata 01."""

from dojo.authors.mistakes import mistake


@mistake("setup.get_array_module", spec="test_cupy_is_not_imported", says="cupy was imported")
def imports_cupy_each_time(*arrays):
    """CuPy is imported to ask it, and that costs seconds where it is installed and nobody uses it."""
    try:
        import cupy
    except ImportError:
        return np
    return cupy if any(isinstance(a, cupy.ndarray) for a in arrays) else np


@mistake("setup.get_array_module", spec="test_mixed_devices_are_an_error", says="nothing was raised")
def mixes_devices(*arrays):
    """One GPU array makes it cupy, whatever is beside it: the error comes later, from elsewhere."""
    cupy = sys.modules.get("cupy")
    return cupy if cupy and any(isinstance(a, cupy.ndarray) for a in arrays) else np


@mistake("setup.get_array_module", spec="test_numbers_do_not_count", says="expected cupy")
def counts_numbers_for_the_cpu(*arrays):
    """Only the first argument is asked."""
    cupy = sys.modules.get("cupy")
    return cupy if cupy and arrays and isinstance(arrays[0], cupy.ndarray) else np


@mistake("setup.Device.__init__", spec="test_gpu_has_an_index", says="expected 12")
def reads_one_digit(self, device):
    """The index is taken to be the last character."""
    if not re.fullmatch(r"cpu|cuda(:[0-9]+)?", str(device)):
        raise ValueError(f'there is no device {device!r}: "cpu", "cuda" or "cuda:1"')
    self.type, colon, index = str(device).partition(":")
    self.index = None if self.type == "cpu" else int(index[-1]) if colon else 0


@mistake("setup.Device.__init__", spec="test_unknown_device_is_an_error", says="nothing was raised")
def looks_at_the_beginning_only(self, device):
    """A name that begins like a device passes."""
    match = re.match(r"(cpu)|cuda(?::([0-9]+))?", str(device))
    if match is None:
        raise ValueError(f'there is no device {device!r}: "cpu", "cuda" or "cuda:1"')
    self.type = "cpu" if match[1] else "cuda"
    self.index = None if match[1] else int(match[2] or 0)


@mistake("setup.Device.__init__", spec="test_cuda_alone_is_the_first_gpu", says="expected 0")
def leaves_the_index_open(self, device):
    """As PyTorch has it: "cuda" has no index, and then it does not equal "cuda:0"."""
    if not re.fullmatch(r"cpu|cuda(:[0-9]+)?", str(device)):
        raise ValueError(f'there is no device {device!r}: "cpu", "cuda" or "cuda:1"')
    self.type, colon, index = str(device).partition(":")
    self.index = int(index) if colon else None


@mistake("setup.Device.__eq__", spec="test_equal_devices", says='Device("cuda:1") == Device("cuda:0")')
def compares_types_only(self, other):
    """All GPUs are one."""
    return isinstance(other, Device) and self.type == other.type


@mistake("setup.Device.__eq__", spec="test_a_device_is_not_its_name", says="AttributeError")
def takes_everything_for_a_device(self, other):
    """Comparing with anything else is an AttributeError."""
    return (self.type, self.index) == (other.type, other.index)


@mistake("setup.Device.__hash__", spec="test_equal_devices_are_one_key", says="second GPU")
def hashes_the_object(self):
    """Equal objects with different hashes: a dictionary loses them."""
    return id(self)


@mistake(
    "setup.cuda_is_available", spec="test_a_broken_cupy_means_no_gpu", says="cudaErrorInsufficientDriver"
)
def expects_only_a_missing_package():
    """A CuPy without a driver raises something else than ImportError."""
    try:
        import cupy
    except ImportError:
        return False
    return cupy.cuda.runtime.getDeviceCount() > 0


@mistake("setup.default_generator", spec="test_draws_go_on", says="another object")
def starts_anew_each_time(device="cpu"):
    """Every call makes a generator from the seed, so everybody draws the same first numbers."""
    return Device(device).array_module.random.default_rng(seed_of_all)


@mistake("setup.default_generator", spec="test_without_a_seed_every_run_is_different", says="three runs drew")
def is_seeded_from_the_start(device="cpu"):
    """Without a seed it is seed 0, so every run of every program is the same."""
    device = Device(device)
    if device not in generators:
        generators[device] = device.array_module.random.default_rng(seed_of_all or 0)
    return generators[device]


@mistake("setup.manual_seed", spec="test_manual_seed_returns_the_generator", says="None")
def forgets_to_return(seed):
    """It seeds and returns nothing."""
    global seed_of_all
    seed_of_all = seed
    generators.clear()


@mistake("setup.manual_seed", spec="test_manual_seed_is_for_every_device", says="seed 7")
def seeds_the_cpu_only(seed):
    """A GPU goes on as if nothing had been said."""
    if not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is an integer, got {seed!r}")
    generators[Device("cpu")] = np.random.default_rng(int(seed) % 2**64)
    return generators[Device("cpu")]


@mistake("setup.manual_seed", spec="test_numpys_own_random_is_not_involved", says="np.random.random(3)")
def seeds_numpy_globally(seed):
    """NumPy's global generator belongs to somebody else."""
    global seed_of_all
    if not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is an integer, got {seed!r}")
    np.random.seed(int(seed) % 2**32)
    seed_of_all = int(seed) % 2**64
    generators.clear()
    return default_generator("cpu")


@mistake("setup.total_memory", spec="test_memory", says="is it in bytes?")
def counts_pages():
    """The number of pages, not of bytes."""
    return os.sysconf("SC_PHYS_PAGES")


@mistake("setup.blas_threads", spec="test_blas_reads_its_own_variables", says="is 4, expected 2")
def lets_omp_win(blas, environ, cores):
    """OMP_NUM_THREADS is read first, though it is the weakest."""
    for names in THREAD_VARIABLES.values():
        for name in reversed(names):
            if names[0].partition("_")[0].lower() in blas.lower() and environ.get(name, "").isdigit():
                return int(environ[name])
    return cores


@mistake("setup.blas_threads", spec="test_blas_passes_over_nonsense", says="expected 3")
def takes_zero_threads(blas, environ, cores):
    """A variable that is set decides, whatever it holds."""
    for part, names in THREAD_VARIABLES.items():
        for name in names:
            if part in blas.lower() and name in environ:
                return int(environ[name]) if environ[name].isdigit() else cores
    return cores


@mistake("setup.format_env_info", spec="test_formatted_memory", says="15.5 GiB")
def divides_by_a_billion(info):
    """A GiB is 2**30 bytes, not 10**9."""
    shown = info._asdict()
    if info.memory is not None:
        shown["memory"] = f"{info.memory / 1e9:.1f} GiB"
    shown["gpus"] = ", ".join(info.gpus)
    return "\n".join(f"{name} {value or 'none'}" for name, value in shown.items())


@mistake("setup.parse_version", spec="test_zeros_at_the_end_do_not_count", says="(2, 1, 0)")
def keeps_zeros(version):
    """As tuples, (2, 1) is less than (2, 1, 0), though the versions are the same."""
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    if match is None:
        raise ValueError(f"{version!r} is not a version")
    return tuple(int(part) for part in match[0].split("."))


@mistake("setup.check_versions", spec="test_versions_are_compared_as_numbers", says="2.10")
def compares_texts(requirements):
    """As texts, "2.10" comes before "2.9"."""
    problems = []
    for package, oldest in requirements.items():
        installed = installed_version(package)
        if installed is None or installed < oldest:
            problems.append(f"{package} {oldest} or newer is needed, {installed} is installed")
    return problems


@mistake("setup.check_versions", spec="test_every_problem_in_order", says="expected 2")
def stops_at_the_first_problem(requirements):
    """One problem is shown, and the next only when that one is solved."""
    for package, oldest in requirements.items():
        installed = installed_version(package)
        if installed is None or parse_version(installed) < parse_version(oldest):
            return [f"{package} {oldest} or newer is needed, {installed} is installed"]
    return []


@mistake("setup.matmul_flops", spec="test_matmul_flops", says="expected 48")
def counts_multiplications_only(n, k, m):
    """The additions are forgotten."""
    return n * k * m


@mistake("setup.peak_gflops", spec="test_peak_is_the_best_of_several", says="fastest product takes 1 s")
def takes_the_mean(n=1024, repeats=5, clock=None):
    """The mean measures what else the machine was doing."""
    a = np.ones((n, n), np.float32)
    seconds = 0.0
    for _ in range(repeats):
        start = clock()
        a @ a
        seconds += clock() - start
    return matmul_flops(n, n, n) * repeats / seconds / 1e9


@mistake("setup.peak_gflops", spec="test_peak_is_operations_over_time", says="each product takes 0.5 s")
def forgets_to_divide_the_work(n=1024, repeats=5, clock=None):
    """The time of all products is divided into the work of one."""
    a = np.ones((n, n), np.float32)
    seconds = 0.0
    for _ in range(repeats):
        start = clock()
        a @ a
        seconds += clock() - start
    return matmul_flops(n, n, n) / seconds / 1e9
