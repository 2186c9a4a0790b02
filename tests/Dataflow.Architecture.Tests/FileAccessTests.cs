using System.Text.RegularExpressions;

namespace Dataflow.Architecture.Tests;

/// <summary>
/// Files are read in one place and written in one place, where devices, pipes, sizes and half-written results are thought of. Who needs
/// another way is listed here with the reason.
/// </summary>
public partial class FileAccessTests
{
    // What the program's own folders and the system hold, not what a user names.
    private static readonly Dictionary<string, string> s_readers = new()
    {
        ["src/Dataflow.Training/Files/WholeFile.cs"] = "the place for whole files",
        ["src/Dataflow.Training/Files/ReadOnlyFile.cs"] = "the place for files read at any position",
        ["src/Dataflow.Training/Files/Disk.cs"] = "what other places go through, so that tests can make it fail",
        ["src/Dataflow.Training/Files/AtomicFile.cs"] = "asks whether a leftover is in use",
        ["src/Dataflow.Cuda/Compilation/CompiledKernelImages.cs"] = "the store of compiled kernels",
        ["src/Dataflow.Cuda/Compilation/KernelStore.cs"] = "the store of compiled kernels",
        ["src/Dataflow.Cuda/Compilation/KernelSources.cs"] = "the kernels beside the program",
        ["src/Dataflow.Runtime/Machine/MachineMemory.cs"] = "what the kernel says of memory, below a root that tests replace",
        ["src/Dataflow.Training/Store/FolderLock.cs"] = "the lock of a checkpoint folder",
        ["src/Dataflow.Formats/TensorBoard/EventFile.cs"] = "only writes",
        ["src/Dataflow.Reports/Runs/RunTail.cs"] = "follows a run's figures while they are written",
        ["src/Dataflow.Training/Files/MetricsFile.cs"] = "reads again what it appended, to cut it",
        ["src/Dataflow.Training/Files/DiskRate.cs"] = "measures a disk with a file that goes at once",
        ["src/Dataflow.Training/Weights/WeightStash.cs"] = "weights that wait while others are evaluated, in a file that nobody else sees",
        ["src/Dataflow/Sweeps/SweepFile.cs"] = "appends to its result file under a lock",
        ["src/Dataflow/Hub/HubLock.cs"] = "the lock that the hub's own library takes too",
        ["src/Dataflow/Hub/PartialFile.cs"] = "reads what has come of a file before it goes on",
    };

    private static readonly Dictionary<string, string> s_writers = new()
    {
        ["src/Dataflow.Training/Files/AtomicFile.cs"] = "the place",
        ["src/Dataflow.Training/Files/Disk.cs"] = "what it goes through, so that tests can make it fail",
        ["src/Dataflow.Training/Store/FolderLock.cs"] = "the lock of a checkpoint folder",
        ["src/Dataflow.Formats/TensorBoard/EventFile.cs"] = "appends records, each whole and flushed: figures of a run that may be killed",
        ["src/Dataflow.Training/Files/MetricsFile.cs"] = "appends lines, each whole and flushed: figures of a run that may be killed",
        ["src/Dataflow.Training/Files/DiskRate.cs"] = "measures a disk with a file that goes at once",
        ["src/Dataflow.Training/Weights/WeightStash.cs"] = "weights that wait while others are evaluated, in a file that nobody else sees",
        ["src/Dataflow/Sweeps/SweepFile.cs"] = "appends rows, each whole and flushed: what a killed sweep goes on from",
        ["src/Dataflow.Cuda/Compilation/KernelStore.cs"] = "renames whole images into the store",
        ["src/Dataflow/Hub/HubLock.cs"] = "the lock that the hub's own library takes too",
        ["src/Dataflow/Hub/PartialFile.cs"] = "a file that is gone on with after an interruption, renamed once its hash is right",
        ["src/Dataflow/Hub/HubCache.cs"] = "links to whole blobs, in the layout that is the hub's",
    };

    [GeneratedRegex(
        """(?<![\w"])File\.(ReadAll|ReadLines|OpenRead|OpenText|OpenHandle|Open\()|"""
            + """new StreamReader\((?!stream)|new FileStream\((?!handle)"""
    )]
    private static partial Regex Reads();

    [GeneratedRegex(
        """(?<![\w"])File\.(Write|Create|Append|OpenWrite|Copy|Replace|Move)|new StreamWriter\((?!new |hashing)|"""
            + """FileMode\.(Create|CreateNew|OpenOrCreate|Append|Truncate)"""
    )]
    private static partial Regex Writes();

    // The kernel's own files: small, never a pipe, and read as often as they change.
    [GeneratedRegex("""/proc/|/sys/|\blabel\b|Label\b|MachineSurvey|ProcText""")]
    private static partial Regex OfTheSystem();

    [Theory]
    [InlineData("var text = File.ReadAllText(path);", true, false)]
    [InlineData("using var reader = new StreamReader(path);", true, false)]
    [InlineData("foreach (string line in File.ReadLines(path))", true, false)]
    [InlineData("using var file = File.Create(path);", false, true)]
    [InlineData("using var file = AtomicFile.Create(path);", false, false)]
    [InlineData("using var output = new StreamWriter(path);", false, true)]
    [InlineData("string text = InputFile.ReadText(path, most);", false, false)]
    public void The_rules_find(string line, bool reads, bool writes) =>
        Assert.Equal((reads, writes), (Reads().IsMatch(line), Writes().IsMatch(line)));

    [Fact]
    public void What_a_user_names_is_read_in_one_place() => Report.None(
        "Read through InputFile, which bounds time and memory whatever the path leads to:",
        Lines(s_readers, Reads()).Where(l => !OfTheSystem().IsMatch(l)));

    [Fact]
    public void Files_are_written_whole_or_not_at_all() => Report.None(
        "Write through AtomicFile, so that a killed program leaves the old file or the new one:", Lines(s_writers, Writes()));

    [Fact]
    public void Exceptions_are_files_that_are_there() => Report.None(
        "Listed as an exception and not there:", s_readers.Keys.Concat(s_writers.Keys).Where(f => !Repository.Exists(f)));

    private static IEnumerable<string> Lines(Dictionary<string, string> exceptions, Regex rule) =>
        Repository
            .Files.Where(f =>
                f.StartsWith("src/", StringComparison.Ordinal) && f.EndsWith(".cs", StringComparison.Ordinal) && !exceptions.ContainsKey(f)
            )
            .SelectMany(f =>
                Repository
                    .Lines(f)
                    .Select((line, at) => (line, at))
                    .Where(l => !l.line.TrimStart().StartsWith("//", StringComparison.Ordinal) && rule.IsMatch(l.line))
                    .Select(l => $"{f}:{l.at + 1}: {l.line.Trim()}")
            );
}
