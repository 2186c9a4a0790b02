using System.Text.Json.Nodes;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>The process of one case.</summary>
internal static class CaseProcess
{
    private const int MostLines = 30;
    private const int LongestLine = 300;
    private const int LongestDetail = 4000;
    private const int MostFigures = 1 << 18; // characters: all cases together have to travel in one file

    /// <summary>Runs it and writes its result; what goes wrong is a result, too.</summary>
    public static int Run(CheckSettings settings, string stage, string name, string file)
    {
        EndWithTheCheck();
        CaseResult result;
        try
        {
            result = StageList.All.Single(s => s.Name == stage).Run(name, settings, Console.Error.WriteLine);
        }
        catch (Exception e)
        {
            var first = e is AggregateException many ? many.Flatten().InnerExceptions[0] : e;
            bool known = first is UserErrorException or InfeasibleException or FailedException;
            var verdict = first is MissingLibraryException { Library: CudaLibrary.Cudnn } ? Verdict.Missing : Verdict.Failed;
            result = new CaseResult(verdict, known ? first.Message : $"{first.GetType().Name}: {first.Message}");
            if (!known)
            {
                Console.Error.WriteLine(e);
            }
        }

        File.WriteAllText(file, result.ToJson().ToJsonString());
        return 0;
    }

    // A check that was killed closes what this reads. What the case started goes with it, so that nothing stays on the GPU.
    private static void EndWithTheCheck() => new Thread(() =>
    {
        while (Console.In.Read() >= 0)
        {
        }

        ChildProcess.Stop();
        Thread.Sleep(TimeSpan.FromSeconds(1));
        Environment.Exit(1);
    })
    {
        IsBackground = true,
    }.Start();

    /// <summary>Starts it and waits for its result, for so long.</summary>
    public static CaseResult Start(CheckSettings settings, string folder, Stage stage, string name, TimeSpan limit, Action<string> say)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.Delete(file);
            var last = new Queue<string>();
            var outcome = ChildProcess.Run(
                Environment.ProcessPath!,
                [typeof(CaseProcess).Assembly.Location, "case", stage.Name, name, file, .. settings.Arguments(folder, limit)],
                limit,
                line =>
                {
                    say(line);
                    last.Enqueue(line.Length > LongestLine ? line[..LongestLine] : line);
                    _ = last.Count > MostLines ? last.Dequeue() : null;
                    return true;
                },
                keepsInput: true
            );
            return Bounded(
                File.Exists(file) ? CaseResult.FromJson(JsonNode.Parse(File.ReadAllText(file))!.AsObject())
                : ChildProcess.Stopped ? new CaseResult(Verdict.OutOfTime, "the check was told to end while it ran", Said(last))
                : outcome.Status is null
                    ? new CaseResult(
                        Verdict.OutOfTime, $"ended after {limit.TotalSeconds:0} s; it last said: {outcome.LastLine}", Said(last))
                : new CaseResult(Verdict.Failed, $"its process ended with status {outcome.Status}: {outcome.LastLine}", Said(last)));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static JsonObject Said(IEnumerable<string> lines) => new() { ["said"] = new JsonArray([.. lines.Select(l => (JsonNode)l)]) };

    private static CaseResult Bounded(CaseResult result)
    {
        int length = result.Figures?.ToJsonString().Length ?? 0;
        return result with
        {
            Detail = result.Detail.Length > LongestDetail ? result.Detail[..LongestDetail] + "..." : result.Detail,
            Figures = length > MostFigures
                ? new JsonObject { ["left_out"] = $"{length} characters of figures, more than are kept of a case" }
                : result.Figures,
        };
    }
}
