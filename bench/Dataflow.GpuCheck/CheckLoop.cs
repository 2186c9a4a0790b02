using System.Diagnostics;
using System.Globalization;
using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>Runs the stages that were asked for, each case once a commit, within the time there is.</summary>
internal static class CheckLoop
{
    /// <summary>0 where everything that was asked for passed, now or earlier for the same sources; else 1.</summary>
    public static int Run(CheckSettings settings)
    {
        var clock = Stopwatch.StartNew();
        var gpu = settings.OpenGpu();
        string folder = settings.ResultFolder(gpu);
        var file = ResultFile.Open(folder, gpu.Name);
        Say($"{gpu.Name}, commit {CheckSettings.Commit}, results in {folder}");
        var verdicts = new List<Verdict>();
        foreach (var (stage, name, again) in Selected(settings))
        {
            string title = $"{stage.Name}/{name}";
            if (!again && file.Find(stage.Name, name, CheckSettings.Commit) is { Result.IsFinal: true } kept)
            {
                Say($"{title}: {ResultTable.Word(kept.Result.Verdict)} at {kept.At} for this commit");
                verdicts.Add(kept.Result.Verdict);
                continue;
            }

            var left = settings.Limit - clock.Elapsed;
            if (left < stage.CaseLeast(settings))
            {
                Say($"{title}: not begun, of {settings.Limit.TotalSeconds:0} s too few were left; the same command goes on from here");
                verdicts.Add(Verdict.OutOfTime);
                continue;
            }

            Say($"{title} ...");
            var begun = clock.Elapsed;
            var result = CaseProcess.Start(settings, folder, stage, name, left < stage.LimitOf(name) ? left : stage.LimitOf(name), line => Say("    " + line));
            double seconds = (clock.Elapsed - begun).TotalSeconds;
            string now = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            file.Keep(new KeptResult(stage.Name, name, CheckSettings.Commit, now, seconds, result));
            Say($"{title}: {ResultTable.Word(result.Verdict)}, {seconds:0.0} s: {result.Detail}");
            verdicts.Add(result.Verdict);
        }

        int passed = verdicts.Count(v => v == Verdict.Passed);
        Say($"{passed} of {verdicts.Count} passed, {clock.Elapsed.TotalSeconds:0} s; {Path.Combine(folder, "gpu_check.md")}");
        return passed == verdicts.Count ? 0 : 1;
    }

    /// <summary>Stages, their cases, and whether one is to run although it is done: it was named.</summary>
    private static IEnumerable<(Stage Stage, string Case, bool Again)> Selected(CheckSettings settings)
    {
        foreach (var stage in StageList.All)
        {
            if (settings.Wanted.Count == 0)
            {
                foreach (string name in stage.UsualCases(settings))
                {
                    yield return (stage, name, false);
                }

                continue;
            }

            var cases = stage.Cases(settings);
            foreach (string wanted in settings.Wanted.Where(w => w.Split('/')[0] == stage.Name))
            {
                string? one = wanted.Contains('/', StringComparison.Ordinal) ? wanted[(stage.Name.Length + 1)..] : null;
                if (one is not null && !cases.Contains(one))
                {
                    throw new UserErrorException($"stage {stage.Name} has no case {one}; there are {string.Join(", ", cases)}");
                }

                foreach (string name in one is null ? cases : [one])
                {
                    yield return (stage, name, true);
                }
            }
        }
    }

    private static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}
