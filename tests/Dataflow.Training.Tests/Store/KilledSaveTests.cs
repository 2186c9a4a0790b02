using System.Diagnostics;

namespace Dataflow.Training.Tests;

/// <summary>
/// A process is killed, or the power goes, at every file operation of saving, saving the same step again, removing old checkpoints and
/// being interrupted: the newest complete checkpoint is always there, the one before the operation or the one after, to the bit.
/// </summary>
public sealed class KilledSaveTests(ITestOutputHelper output) : IDisposable
{
    private const int SampleEvery = 11;
    private const string ChildFolder = "DATAFLOW_TEST_KILLED_FOLDER";
    private const string ChildOperations = "DATAFLOW_TEST_KILLED_OPERATIONS";
    private readonly TemporaryFolder folder = new();

    /// <summary>How the process ends, and what is left then.</summary>
    public enum End
    {
        Killed,
        PowerCut,
        PowerCutSomeWritten,
    }

    private static bool IsSoak => Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";

    public void Dispose() => folder.Dispose();

    [Theory, Trait("Soak", "true")]
    [InlineData(End.Killed)]
    [InlineData(End.PowerCut)]
    [InlineData(End.PowerCutSomeWritten)]
    public void Nothing_is_lost_at_any_operation(End end)
    {
        var counting = new MortalDisk(Fresh("counting"));
        var history = new List<float[]>();
        Run(counting, folder["counting"], history);
        int operations = counting.Operations, tries = 0;
        Assert.All(
            new[]
            {
                "create file",
                "write",
                "flush file",
                "rename file",
                "create folder",
                "rename folder",
                "flush folder",
                "delete file",
                "delete folder",
            },
            kind => Assert.Contains(counting.Log, l => l.StartsWith(kind, StringComparison.Ordinal)));
        int seed = 15 + (int)end, seeds = end == End.PowerCutSomeWritten && IsSoak ? 20 : 1;
        for (int n = IsSoak ? 0 : seed % SampleEvery; n < operations; n += IsSoak ? 1 : SampleEvery)
        {
            for (int s = 0; s < seeds; s++, tries++)
            {
                Try(n, end, new Random(HashCode(seed, n, s)), counting.Log, history);
            }
        }

        output.WriteLine($"{tries} ends within {operations} operations ({end}), seed {seed}: nothing lost");
    }

    [Theory]
    [InlineData(28, "disk full")]
    [InlineData(5, "input/output error")]
    public void A_disk_that_fails_at_any_operation_costs_nothing_that_was_saved(int errno, string said)
    {
        int operations = 1;
        for (int n = -1; n < operations; n++)
        {
            string path = Fresh("failing");
            using (var before = CheckpointStore.Open(path, 1, Assert.Fail, new MortalDisk(path)))
            {
                before.Save(SampleRun.State(1), SampleRun.Progress(1));
            }

            var notices = new List<string>();
            var disk = new MortalDisk(path, n) { Fault = () => new IOException("input/output error", errno) };
            try
            {
                using var store = CheckpointStore.Open(path, 1, notices.Add, disk);
                try
                {
                    store.Save(SampleRun.State(2), SampleRun.Progress(2));
                    operations = n < 0 ? disk.Operations : operations; // the first try is without a fault
                }
                catch (SaveFailedException e)
                {
                    Assert.Contains(said, e.Message, StringComparison.Ordinal);
                    var found = CheckpointSearch.Find(path, Assert.Fail);
                    Assert.Equal(SampleRun.Values(SampleRun.State(found.Progress.Step)), SampleRun.Load(found));
                }

                // Training has gone on, and there is room again.
                store.Save(SampleRun.State(3), SampleRun.Progress(3));
            }
            catch (Dataflow.Model.UserErrorException e) when (n < 2)
            {
                Assert.Contains("cannot be written", e.Message, StringComparison.Ordinal); // at the start, which is refused
                continue;
            }

            Assert.Equal(SampleRun.Values(SampleRun.State(3)), SampleRun.Load(CheckpointSearch.Find(path, Assert.Fail)));
            Assert.All(notices, notice => Assert.Contains("cannot be removed", notice, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void What_is_not_flushed_is_lost_in_these_power_cuts()
    {
        string path = Fresh("unflushed");
        var disk = new MortalDisk(path) { IgnoresFlushes = true };
        using (var store = CheckpointStore.Open(path, 1, _ => { }, disk))
        {
            store.Save(SampleRun.State(1), SampleRun.Progress(1));
        }

        Assert.Equal(1, CheckpointSearch.Find(path, _ => { }).Progress.Step);
        disk.Surviving(folder["left"], null);
        string message = UserErrors.Message(() => CheckpointSearch.Find(folder["left"], _ => { }));
        Assert.Contains("holds no checkpoint", message, StringComparison.Ordinal);
    }

    /// <summary>
    /// In processes of their own, which end by SIGKILL at an operation: locks and leftovers of the dead are those of the system. The child
    /// runs this same test, and finds in its environment what it is to do.
    /// </summary>
    [Fact, Trait("Soak", "true")]
    public async Task A_process_that_is_killed_leaves_a_checkpoint_and_no_lock()
    {
        if (Environment.GetEnvironmentVariable(ChildFolder) is { } here)
        {
            int last = int.Parse(Environment.GetEnvironmentVariable(ChildOperations)!);
            Run(new MortalDisk(here, last) { Killed = () => Process.GetCurrentProcess().Kill() }, here, []);
            Assert.Fail("it should have been killed");
        }

        var complete = new List<float[]>();
        var counting = new MortalDisk(Fresh("counting"));
        Run(counting, folder["counting"], complete);
        var random = new Random(150);
        for (int tries = IsSoak ? 40 : 1; tries > 0; tries--)
        {
            int operations = random.Next(100, counting.Operations); // the first save takes some 70
            string path = Fresh("run");
            var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
            string self = $"{typeof(KilledSaveTests).FullName}.{nameof(A_process_that_is_killed_leaves_a_checkpoint_and_no_lock)}";
            foreach (string argument in new[] { typeof(KilledSaveTests).Assembly.Location, "-method", self })
            {
                start.ArgumentList.Add(argument);
            }

            start.Environment[ChildFolder] = path;
            start.Environment[ChildOperations] = $"{operations}";
            using var child = Process.Start(start)!;
            string said = await child.StandardOutput.ReadToEndAsync() + await child.StandardError.ReadToEndAsync();
            await child.WaitForExitAsync();
            Assert.True(child.ExitCode == 137, $"operation {operations}, exit code {child.ExitCode}: {said}");
            var holder = ProcessIdentity.Parse(File.ReadAllText(Path.Combine(path, FolderLock.FileName)).TrimEnd());
            Assert.True(holder is { IsAlive: false } or null, $"operation {operations}: the lock is {holder}");
            using var store = CheckpointStore.Open(path, 2, _ => { }, new MortalDisk(path));
            Assert.DoesNotContain(Directory.GetDirectories(path), d => Path.GetFileName(d)[0] == '.');
            float[] got = SampleRun.Load(CheckpointSearch.Find(path, Assert.Fail));
            Assert.Contains(complete, values => values.SequenceEqual(got));
        }

        output.WriteLine("processes killed, seed 150: nothing lost");
    }

    [Fact]
    public void A_run_that_is_killed_at_the_same_place_again_and_again_loses_nothing()
    {
        string path = Fresh("again");
        using (var store = CheckpointStore.Open(path, 1, _ => { }, new MortalDisk(path)))
        {
            store.Save(SampleRun.State(1), SampleRun.Progress(1));
        }

        float[] want = SampleRun.Values(SampleRun.State(1));
        for (int n = 1; n < 60; n++)
        {
            try
            {
                var disk = new MortalDisk(path, n);
                using var store = CheckpointStore.Open(path, 1, _ => { }, disk);
                store.Save(SampleRun.State(2), SampleRun.Progress(2));
            }
            catch (KilledException)
            {
            }

            var found = CheckpointSearch.Find(path, _ => { });
            want = found.Progress.Step == 2 ? SampleRun.Values(SampleRun.State(2)) : want;
            Assert.Equal(want, SampleRun.Load(found));
            Assert.True(Directory.GetFileSystemEntries(path).Length <= 4, "what killed runs leave adds up");
        }
    }

    /// <summary>Saves as a run would, in three processes; after each save that is complete, its numbers are added to the history.</summary>
    private static void Run(MortalDisk disk, string path, List<float[]> history)
    {
        using (var store = CheckpointStore.Open(path, 2, _ => { }, disk))
        {
            Save(1, 0, 2.5);
            Save(2, 0, 3.5);
            Save(3, 0, 3.25); // 1 is the best and stays, 2 and 3 are the last

            void Save(int step, ulong variant, double score)
            {
                store.Save(SampleRun.State(step, variant: variant), SampleRun.Progress(step, variant: variant), score);
                history.Add(SampleRun.Values(SampleRun.State(step, variant: variant)));
            }
        }

        using (var store = CheckpointStore.Open(path, 1, _ => { }, disk))
        {
            // The interruption's save is of the step that was just saved.
            store.Save(SampleRun.State(3, variant: 1), SampleRun.Progress(3, variant: 1), 1.5);
            history.Add(SampleRun.Values(SampleRun.State(3, variant: 1)));
            using var cancel = new CancellationTokenSource();
            cancel.Cancel();
            try
            {
                store.Save(SampleRun.State(4), SampleRun.Progress(4), cancel: cancel.Token);
                Assert.Fail("it was cancelled");
            }
            catch (OperationCanceledException)
            {
            }
        }

        using (var store = CheckpointStore.Open(path, 1, _ => { }, disk))
        {
            var bad = SampleRun.State(4);
            store.Save(bad with { Weights = new WithValue(bad.Weights, float.NaN, ParameterObject.Embedding, 3) }, SampleRun.Progress(4));
            store.Save(SampleRun.State(4, variant: 1), SampleRun.Progress(4, variant: 1));
            history.Add(SampleRun.Values(SampleRun.State(4, variant: 1)));
        }
    }

    private static int HashCode(int seed, int operation, int again) => unchecked((((seed * 1000003) + operation) * 1000003) + again);

    private string Fresh(string name)
    {
        if (Directory.Exists(folder[name]))
        {
            Directory.Delete(folder[name], recursive: true);
        }

        Directory.CreateDirectory(folder[name]);
        return folder[name];
    }

    private void Try(int operations, End end, Random random, List<string> log, List<float[]> complete)
    {
        string path = Fresh("run"), left = path;
        var disk = new MortalDisk(path, operations);
        var history = new List<float[]>();
        Assert.Throws<KilledException>(() => Run(disk, path, history));
        if (end != End.Killed)
        {
            left = folder["left"];
            if (Directory.Exists(left))
            {
                Directory.Delete(left, recursive: true);
            }

            disk.Surviving(left, end == End.PowerCut ? null : random);
        }

        string where = $"operation {operations} ({log[operations]})";

        // A restart first clears what the dead left, and finds the newest: the last save that returned, or the one that was under way.
        using var store = CheckpointStore.Open(left, 2, _ => { }, new MortalDisk(left));
        Assert.All(Directory.GetFileSystemEntries(left), entry => Assert.True(
            Path.GetFileName(entry) == FolderLock.FileName || CheckpointName.Parse(Path.GetFileName(entry)) is not null,
            $"{where}: {entry} is left"));
        var notices = new List<string>();
        StoredCheckpoint? found = null;
        try
        {
            found = CheckpointSearch.Find(left, notices.Add);
        }
        catch (Dataflow.Model.UserErrorException) when (history.Count == 0)
        {
        }

        if (found is not null)
        {
            float[] got = SampleRun.Load(found);
            bool isLast = history.Count > 0 && got.SequenceEqual(history[^1]);
            bool isNext = history.Count < complete.Count && got.SequenceEqual(complete[history.Count]);
            Assert.True(isLast || isNext, $"{where}: neither the checkpoint before nor the one after");
        }

        Assert.True(notices.Count == 0, $"{where}: {string.Join("; ", notices)}");
        store.Save(SampleRun.State(5), SampleRun.Progress(5));
        Assert.Equal(SampleRun.Values(SampleRun.State(5)), SampleRun.Load(CheckpointSearch.Find(left, notices.Add)));
    }
}
