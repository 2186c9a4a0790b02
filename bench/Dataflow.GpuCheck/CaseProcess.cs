using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>The process of one case.</summary>
internal static class CaseProcess
{
    /// <summary>Runs it and writes its result; what goes wrong is a result, too.</summary>
    public static int Run(CheckSettings settings, string stage, string name, string file)
    {
        CaseResult result;
        try
        {
            result = StageList.All.Single(s => s.Name == stage).Run(name, settings, Console.Error.WriteLine);
        }
        catch (Exception e)
        {
            var first = e is AggregateException many ? many.Flatten().InnerExceptions[0] : e;
            bool known = first is UserErrorException or InfeasibleException or FailedException;
            result = new CaseResult(Verdict.Failed, known ? first.Message : $"{first.GetType().Name}: {first.Message}");
            if (!known)
            {
                Console.Error.WriteLine(e);
            }
        }

        File.WriteAllText(file, result.ToJson().ToJsonString());
        return 0;
    }

    /// <summary>Starts it and waits for its result, for so long.</summary>
    public static CaseResult Start(CheckSettings settings, string folder, Stage stage, string name, TimeSpan limit, Action<string> say)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.Delete(file);
            var outcome = ChildProcess.Run(
                Environment.ProcessPath!,
                [typeof(CaseProcess).Assembly.Location, "case", stage.Name, name, file, .. settings.Arguments(folder, limit)],
                limit,
                say
            );
            return File.Exists(file) ? CaseResult.FromJson(System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(file))!.AsObject())
                : outcome.Status is null
                    ? new CaseResult(Verdict.OutOfTime, $"ended after {limit.TotalSeconds:0} s; it last said: {outcome.LastLine}")
                : new CaseResult(Verdict.Failed, $"its process ended with status {outcome.Status}: {outcome.LastLine}");
        }
        finally
        {
            File.Delete(file);
        }
    }
}
