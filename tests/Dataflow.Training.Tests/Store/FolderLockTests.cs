using System.Diagnostics;

namespace Dataflow.Training.Tests;

/// <summary>One run saves to a folder at a time; what the dead left is no lock.</summary>
public sealed class FolderLockTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly List<string> notices = [];
    private readonly Process other = Process.Start(new ProcessStartInfo("sleep", "600"))!;

    public void Dispose()
    {
        other.Kill();
        other.WaitForExit();
        other.Dispose();
        folder.Dispose();
    }

    private string Record => File.ReadAllText(folder[FolderLock.FileName]);

    private CheckpointStore Open() => CheckpointStore.Open(folder.Root, 2, notices.Add);

    private static string Here => ProcessIdentity.Own.Host;

    private ProcessIdentity Other() =>
        ProcessIdentity.Own with { Id = other.Id, Start = long.Parse(File.ReadAllText($"/proc/{other.Id}/stat").Split(' ')[21]) };

    [Fact]
    public void A_second_run_is_refused_in_a_sentence_that_names_the_first()
    {
        using (var first = Open())
        {
            Assert.Equal(
                $"{folder.Root} is in use by this process itself, which saves its checkpoints there; "
                + "wait for it or stop it, or give another folder to --checkpoint",
                UserErrors.Message(() => Open(), typeof(FolderInUseException)));
            first.Save(SampleRun.State(1), SampleRun.Progress(1));
            Assert.Equal(ProcessIdentity.Own + "\n", ReadPastLock());
        }

        Assert.Equal("", Record);
        Open().Dispose();
    }

    [Theory]
    [InlineData("2147483646-5@{here}\n")] // no such process
    [InlineData("{other}-5@{here}\n")] // another one has got its number
    [InlineData("77-5@elsewhere\n")] // of another machine: the system's lock decides, and it is free
    [InlineData("")]
    [InlineData("oops")]
    [InlineData("99999999999999999999-1@{here}\n")]
    public void A_lock_that_the_dead_left_is_none(string record)
    {
        record = record.Replace("{here}", Here, StringComparison.Ordinal).Replace("{other}", $"{other.Id}", StringComparison.Ordinal);
        folder.Put(FolderLock.FileName, record);
        Open().Dispose();
        Assert.Empty(notices);
    }

    [Fact]
    public void Where_the_file_system_has_no_locks_that_is_said_and_a_living_process_of_this_machine_is_heeded()
    {
        FolderLock Take() => FolderLock.Take(folder.Root, notices.Add, _ => FolderLock.Answer.Unsupported);
        folder.Put(FolderLock.FileName, Other() + "\n");
        string refused = UserErrors.Message(() => Take(), typeof(FolderInUseException));
        Assert.Contains($"is in use by process {other.Id}, which", refused, StringComparison.Ordinal);
        Assert.Empty(notices);
        folder.Put(FolderLock.FileName, Other() with { Start = 1 } + "\n");
        Take().Dispose();
        Assert.Contains("is on a file system without locks", Assert.Single(notices), StringComparison.Ordinal);
        folder.Put(FolderLock.FileName, Other() with { Host = "elsewhere" } + "\n");
        Take().Dispose();
        Assert.Equal(2, notices.Count);
    }

    [Fact]
    public void A_process_of_another_machine_is_named_with_it()
    {
        folder.Put(FolderLock.FileName, "77-5@elsewhere\n");
        string message = UserErrors.Message(
            () => FolderLock.Take(folder.Root, notices.Add, _ => FolderLock.Answer.Held), typeof(FolderInUseException));
        Assert.Contains("is in use by process 77 on elsewhere,", message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_dead_left_unfinished_is_cleared_and_what_the_living_are_at_is_not()
    {
        var name = new CheckpointName(8, true);
        string[] dead =
        [
            $".partial-{name}.2147483646-5@{Here}",
            $".deleted-{name}.{Other() with { Start = 2 }}",
            $".partial-{name}.{ProcessIdentity.Own}",
            ".partial-step-00000004",
            $".deleted-step-00000004-nonfinite-r2.2147483646-5@{Here}",
            $".partial-{name}.5-5@elsewhere",
        ];
        string[] living =
        [
            $".partial-{name}.{Other()}", $".deleted-{name}.{Other()}", ".partial-mine", ".partial-step-00000004-keep", ".step-00000004",
        ];
        foreach (string left in dead.Concat(living))
        {
            Directory.CreateDirectory(folder[left]);
            folder.Put(Path.Combine(left, "model.safetensors"), "x");
        }

        // Where the system has no locks, another machine's process may still be at it.
        using (var unknown = FolderLock.Take(folder.Root, notices.Add, _ => FolderLock.Answer.Unsupported))
        {
            UnfinishedFolder.ClearLeftovers(Disk.Real, folder.Root, unknown);
        }

        Assert.Contains($".partial-{name}.5-5@elsewhere", folder.Names);
        Open().Dispose();
        Assert.Equal(living.Append(FolderLock.FileName).Order(StringComparer.Ordinal), folder.Names);
    }

    [Fact]
    public void A_process_is_known_by_its_text()
    {
        Assert.Equal(ProcessIdentity.Own, ProcessIdentity.Parse(ProcessIdentity.Own.ToString()));
        Assert.True(ProcessIdentity.Own.IsAlive);
        Assert.True(Other().IsAlive);
        Assert.Null(ProcessIdentity.Parse("12-13@a/b"));
        Assert.Null(ProcessIdentity.Parse("12-13"));
    }

    /// <summary>The record, read as a program would that asks for no lock.</summary>
    private string ReadPastLock()
    {
        using var cat = Process.Start(new ProcessStartInfo("cat", folder[FolderLock.FileName]) { RedirectStandardOutput = true })!;
        return cat.StandardOutput.ReadToEnd();
    }
}
