"""Classic mistakes of kata 01."""

from dojo.tree.mistakes import mistake


@mistake(
    "setup.get_array_module",
    spec="test_cupy_is_not_imported",
    says="cupy was imported",
    swap=(
        'cupy = sys.modules.get("cupy")',
        """try:
        import cupy
    except ImportError:
        cupy = None""",
    ),
)
def imports_cupy_each_time():
    """CuPy is imported only to ask it, which costs seconds where it is installed and nobody uses it."""


@mistake(
    "setup.get_array_module",
    spec="test_mixed_devices_are_an_error",
    says="nothing was raised",
    swap=("if len(found) > 1:", "if False:"),
)
def mixes_devices():
    """One GPU array makes it cupy, whatever is beside it: the error comes later, from elsewhere."""


@mistake(
    "setup.get_array_module",
    spec="test_numbers_do_not_count",
    says="expected cupy",
    swap=("for a in arrays if", "for a in arrays[:1] if"),
)
def counts_numbers_for_the_cpu():
    """Only the first argument is asked."""


@mistake(
    "setup.Device.__init__",
    spec="test_gpu_has_an_index",
    says="expected 12",
    swap=("int(index or 0)", 'int((index or "0")[-1])'),
)
def reads_one_digit():
    """The index is taken to be the last character."""


@mistake(
    "setup.Device.__init__",
    spec="test_unknown_device_is_an_error",
    says="nothing was raised",
    swap=("re.fullmatch", "re.match"),
)
def looks_at_the_beginning_only():
    """A name that begins like a device passes."""


@mistake(
    "setup.Device.__init__",
    spec="test_cuda_alone_is_the_first_gpu",
    says="expected 0",
    swap=("None if cpu else int(index or 0)", "int(index) if index else None"),
)
def leaves_the_index_open():
    """As PyTorch has it: "cuda" has no index, and then it does not equal "cuda:0"."""


@mistake(
    "setup.Device.__eq__",
    spec="test_equal_devices",
    says='Device("cuda:1") == Device("cuda:0")',
    swap=("(self.type, self.index) == (other.type, other.index)", "self.type == other.type"),
)
def compares_types_only():
    """All GPUs are one."""


@mistake(
    "setup.Device.__eq__",
    spec="test_a_device_is_not_its_name",
    says="AttributeError",
    swap=("isinstance(other, Device) and ", ""),
)
def takes_everything_for_a_device():
    """Comparing with anything else is an AttributeError."""


@mistake("setup.Device.__hash__", spec="test_equal_devices_are_one_key", says="second GPU")
def hashes_the_object(self):
    """Equal objects with different hashes: a dictionary loses them."""
    return id(self)


@mistake(
    "setup.cuda_is_available",
    spec="test_a_broken_cupy_means_no_gpu",
    says="cudaErrorInsufficientDriver",
    swap=("except Exception:", "except ImportError:"),
)
def expects_only_a_missing_package():
    """A CuPy without a driver raises other errors than ImportError."""


@mistake(
    "setup.default_generator",
    spec="test_draws_go_on",
    says="another object",
    swap=("if device not in generators:", "if True:"),
)
def starts_anew_each_time():
    """Every call makes a generator from the seed, so everybody draws the same first numbers."""


@mistake(
    "setup.default_generator",
    spec="test_without_a_seed_every_run_is_different",
    says="three runs drew",
    swap=("np.random.default_rng(seed_of_all)", "np.random.default_rng(seed_of_all or 0)"),
)
def is_seeded_from_the_start():
    """Without a seed it is seed 0, so every run of every program is the same."""


@mistake(
    "setup.manual_seed",
    spec="test_manual_seed_returns_the_generator",
    says="None",
    swap=('return default_generator("cpu")', 'default_generator("cpu")'),
)
def forgets_to_return():
    """It seeds and returns nothing."""


@mistake(
    "setup.manual_seed",
    spec="test_manual_seed_is_for_every_device",
    says="seed 7",
    swap=("generators.clear()", 'generators.pop(Device("cpu"), None)'),
)
def seeds_the_cpu_only():
    """A GPU continues its old draws, as if there had been no new seed."""


@mistake(
    "setup.manual_seed",
    spec="test_numpys_own_random_is_not_involved",
    says="np.random.random(3)",
    swap=(
        "generators.clear()",
        """np.random.seed(int(seed) % 2**32)
    generators.clear()""",
    ),
)
def seeds_numpy_globally():
    """NumPy's global generator belongs to somebody else."""


@mistake(
    "setup.total_memory",
    spec="test_memory",
    says="is it in bytes?",
    swap=('os.sysconf("SC_PAGE_SIZE") * os', "os"),
)
def counts_pages():
    """The number of pages, not of bytes."""


@mistake(
    "setup.blas_threads",
    spec="test_blas_reads_its_own_variables",
    says="is 4, expected 2",
    swap=("known[0] if known", "reversed(known[0]) if known"),
)
def lets_omp_win():
    """OMP_NUM_THREADS is read first, though it is the weakest."""


@mistake(
    "setup.blas_threads",
    spec="test_blas_passes_over_nonsense",
    says="expected 3",
    swap=(" and int(value) > 0", ""),
)
def takes_zero_threads():
    """0 is taken for a number of threads."""


@mistake("setup.format_env_info", spec="test_formatted_memory", says="15.5 GiB", swap=("2**30", "1e9"))
def divides_by_a_billion():
    """A GiB is 2**30 bytes, not 10**9."""


@mistake(
    "setup.parse_version",
    spec="test_zeros_at_the_end_do_not_count",
    says="(2, 1, 0)",
    swap=("while numbers and numbers[-1] == 0:", "while False:"),
)
def keeps_zeros():
    """As tuples, (2, 1) is less than (2, 1, 0), though the versions are the same."""


@mistake(
    "setup.check_versions",
    spec="test_versions_are_compared_as_numbers",
    says="2.10",
    swap=("parse_version(installed) < needed", "installed < oldest"),
)
def compares_texts():
    """As strings, "2.10" comes before "2.9"."""


@mistake(
    "setup.check_versions",
    spec="test_every_problem_in_order",
    says="expected 2",
    swap=("return problems", "return problems[:1]"),
)
def stops_at_the_first_problem():
    """One problem is shown, and the next only when that one is solved."""


@mistake("setup.matmul_flops", spec="test_matmul_flops", says="expected 48")
def counts_multiplications_only(n, k, m):
    """The additions are forgotten."""
    return n * k * m


@mistake(
    "setup.peak_gflops",
    spec="test_peak_is_the_best_of_several",
    says="fastest product takes 1 s",
    swap=[
        ('float("inf")', "0.0"),
        ("min(fastest, clock() - start)", "fastest + (clock() - start) / repeats"),
    ],
)
def takes_the_mean():
    """The mean measures what else the machine was doing."""


@mistake(
    "setup.peak_gflops",
    spec="test_peak_is_operations_over_time",
    says="each product takes 0.5 s",
    swap=[
        ('float("inf")', "0.0"),
        ("min(fastest, clock() - start)", "fastest + clock() - start"),
    ],
)
def forgets_to_divide_the_work():
    """The time of all products is divided into the work of one."""


@mistake(
    "setup.Device.array_module",
    spec="test_a_gpu_that_is_not_there",
    says="nothing was raised",
    swap=("if self.index is not None and self.index >= count:", "if False:"),
)
def any_gpu_will_do():
    """Where there is a GPU, every other one is taken to be there."""
