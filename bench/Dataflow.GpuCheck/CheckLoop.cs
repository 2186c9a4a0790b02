using System.Diagnostics;
using System.Globalization;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>
/// Runs the cases that were asked for, each once a commit, within the time there is. Whatever becomes of a case, the next one runs; what is
/// known so far is in the folder at any time, the lines that were said too.
/// </summary>
internal static class CheckLoop
{
    private const string TimeForm = "yyyy-MM-ddTHH:mm:ssZ";
    private static readonly Bytes s_noise = new(64L << 20);
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(2); // for ending a case, and the summary
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>0 where everything that was asked for passed, now or earlier for the same sources; else 1.</summary>
    public static int Run(CheckSettings settings)
    {
        var cases = Selected(settings);
        if (settings.List)
        {
            Console.Out.Write(CaseList.Text(cases, settings));
            return 0;
        }

        var clock = Stopwatch.StartNew();
        var gpu = settings.OpenGpu();
        string folder = settings.ResultFolder(gpu);
        TakeOver(settings.From, folder);
        var file = ResultFile.Open(folder, gpu.Name);
        var say = new CheckLog(Path.Combine(folder, "gpu_check.log"));
        say.Line($"{gpu.Name}, commit {CheckSettings.Commit}, results in {folder}");
        using var monitor = MonitorOf(gpu);
        var idle = monitor?.Memory().Used ?? Bytes.Zero;
        var verdicts = new List<(CheckCase Case, Verdict Verdict, string Detail)>();
        var spent = new Dictionary<string, TimeSpan>();
        double pace = settings.Clock ?? 1;
        bool clocked = !settings.Emulated || settings.Clock is not null; // else a dry run takes as long as its machine does
        using var signals = ChildProcess.StopOnSignals();
        foreach (var next in cases)
        {
            if (ChildProcess.Stopped)
            {
                verdicts.Add((next, Verdict.OutOfTime, "not begun, the check was told to end"));
                continue;
            }

            if (!next.Again && file.Find(next.Stage.Name, next.Name, CheckSettings.Commit) is { Result.IsFinal: true } kept)
            {
                say.Line($"{next.Title}: {ResultTable.Word(kept.Result.Verdict)} at {kept.At} for this commit");
                verdicts.Add((next, kept.Result.Verdict, kept.Result.Detail));
                continue;
            }

            var used = spent.GetValueOrDefault(next.Stage.Name);
            var left = settings.Limit - clock.Elapsed - s_end;
            var share = next.Share * pace;
            var turn = share is { } most && clocked && most - used < left ? most - used : left;
            if (turn < next.Stage.LeastOf(next.Name, settings) * (settings.Clock is null ? 1 : Math.Min(1, pace)))
            {
                string why =
                    turn < left
                        ? $"the {share!.Value.TotalSeconds:0} s of its stage are used"
                        : $"of {settings.Limit.TotalSeconds:0} s too few were left";
                say.Line($"{next.Title}: not begun, {why}; the same command goes on from here");
                verdicts.Add((next, Verdict.OutOfTime, $"not begun, {why}"));
                continue;
            }

            var begun = clock.Elapsed;
            var longest = next.Stage.LimitOf(next.Name) * pace;
            var limit = !clocked || turn < longest ? turn : longest;
            string start = DateTime.UtcNow.ToString(TimeForm, CultureInfo.InvariantCulture);
            if (file.Find(next.Stage.Name, next.Name, CheckSettings.Commit) is not { Result.IsFinal: true })
            {
                // What a check that is killed now leaves.
                var begunOnly = new CaseResult(Verdict.OutOfTime, $"begun at {start}, and the check ended while it ran");
                file.Keep(new KeptResult(next.Stage.Name, next.Name, CheckSettings.Commit, start, 0, begunOnly));
            }

            say.Line($"{next.Title} ... (at {begun.TotalSeconds:0} s, for {limit.TotalSeconds:0} s at most)");
            var result = CaseProcess.Start(settings, folder, next.Stage, next.Name, limit, line => say.Line("    " + line));
            var took = clock.Elapsed - begun;
            spent[next.Stage.Name] = used + took;
            Settle(monitor, idle);
            string now = DateTime.UtcNow.ToString(TimeForm, CultureInfo.InvariantCulture);
            file.Keep(new KeptResult(next.Stage.Name, next.Name, CheckSettings.Commit, now, took.TotalSeconds, result));
            say.Line($"{next.Title}: {ResultTable.Word(result.Verdict)}, {took.TotalSeconds:0.0} s: {result.Detail}");
            verdicts.Add((next, result.Verdict, result.Detail));
        }

        return Summarize(say, verdicts, clock.Elapsed, folder);
    }

    // A machine that is lent call by call keeps nothing: what the first call found travels with the second.
    private static void TakeOver(string? from, string folder)
    {
        if (from is null)
        {
            return;
        }

        if (!File.Exists(Path.Combine(from, ResultFile.JsonName)))
        {
            throw new UserErrorException($"{from} has no {ResultFile.JsonName}: give --from the folder of an earlier call's results");
        }

        Directory.CreateDirectory(folder);
        foreach (string name in new[] { ResultFile.JsonName, CalibrateStage.ProfileFile })
        {
            string to = Path.Combine(folder, name);
            if (File.Exists(Path.Combine(from, name)) && !File.Exists(to))
            {
                File.WriteAllBytes(to, File.ReadAllBytes(Path.Combine(from, name))); // not the protection of a read-only copy
            }
        }
    }

    private static GpuMonitor? MonitorOf(CudaGpu gpu)
    {
        try
        {
            return GpuMonitor.Open(gpu);
        }
        catch (MachineException)
        {
            return null; // its stages say so
        }
    }

    // What a case leaves when it is ended takes the system seconds to clean up: it is none of the next one's memory.
    private static void Settle(GpuMonitor? monitor, Bytes idle)
    {
        var clock = Stopwatch.StartNew();
        while (!ChildProcess.Stopped && monitor is not null && monitor.Memory().Used > idle + s_noise && clock.Elapsed < s_patience)
        {
            Thread.Sleep(s_pause);
        }
    }

    // Last, since the end of what a long command printed is what is sure to be seen.
    private static int Summarize(
        CheckLog say,
        List<(CheckCase Case, Verdict Verdict, string Detail)> verdicts,
        TimeSpan took,
        string folder
    )
    {
        const int longest = 240;
        say.Line("");
        foreach (var (done, verdict, detail) in verdicts.Where(v => v.Verdict != Verdict.OutOfTime))
        {
            say.Line($"{ResultTable.Word(verdict),-14} {done.Title}: {(detail.Length > longest ? detail[..longest] + "..." : detail)}");
        }

        string[] missing = [.. verdicts.Where(v => v.Verdict == Verdict.OutOfTime).Select(v => v.Case.Title)];
        if (missing.Length > 0)
        {
            say.Line($"{ResultTable.Word(Verdict.OutOfTime),-14} {string.Join(", ", missing)}");
        }

        int passed = verdicts.Count(v => v.Verdict == Verdict.Passed);
        say.Line($"{passed} of {verdicts.Count} passed, {took.TotalSeconds:0} s; {Path.Combine(folder, "gpu_check.md")}");
        return passed == verdicts.Count ? 0 : 1;
    }

    private static IReadOnlyList<CheckCase> Selected(CheckSettings settings)
    {
        if (settings.Wanted.Count == 0)
        {
            return StageList.Usual(settings);
        }

        var selected = new List<CheckCase>();
        foreach (var stage in StageList.All)
        {
            foreach (string wanted in settings.Wanted.Where(w => w.Split('/')[0] == stage.Name))
            {
                var cases = stage.Cases(settings);
                string? one = wanted.Contains('/', StringComparison.Ordinal) ? wanted[(stage.Name.Length + 1)..] : null;
                if (one is not null && !cases.Contains(one))
                {
                    throw new UserErrorException($"stage {stage.Name} has no case {one}; there are {string.Join(", ", cases)}");
                }

                selected.AddRange((one is null ? cases : [one]).Select(c => new CheckCase(stage, c, null, Again: true)));
            }
        }

        return selected;
    }
}
