using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Requests as JSON lines in, answers as JSON lines out: in order, on all cores.</summary>
internal static class SimulationBatch
{
    /// <summary>Answers a file. All lines are read before the first is answered, so that a mistake costs no time.</summary>
    /// <exception cref="UserErrorException">The file cannot be read, or a line is no request.</exception>
    public static void Run(string path, TextWriter output, PlanCache cache)
    {
        var reader = new SimulationRequestReader();
        var requests = new List<SimulationRequest>();
        int number = 0;
        foreach (string line in Lines(path))
        {
            number++;
            try
            {
                if (!string.IsNullOrWhiteSpace(line))
                {
                    requests.Add(reader.Read(line));
                }
            }
            catch (UserErrorException e)
            {
                throw new UserErrorException($"{path}, line {number}: {e.Message}");
            }
        }

        Answer(requests, output, cache);
    }

    /// <summary>
    /// Requests that differ in budgets alone share one search, which is let go with the last of them. Groups are answered side by side; where there are fewer
    /// of them than cores, so are the requests of a group.
    /// </summary>
    private static void Answer(List<SimulationRequest> requests, TextWriter output, PlanCache cache)
    {
        int[][] groups = [.. requests.Select((request, i) => (Key: GroupOf(request) ?? $"{i}", i)).GroupBy(r => r.Key, (_, all) => all.Select(r => r.i).ToArray())];
        var lines = new OrderedLines(output, requests.Count);
        int cores = Environment.ProcessorCount;
        var within = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, cores / Math.Max(1, groups.Length)) };
        Parallel.ForEach(Partitioner.Create(groups, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = cores }, group =>
        {
            var search = new Lazy<BudgetSearch?>(() => SimulationAnswer.SearchFor(requests[group[0]], cache));
            Parallel.ForEach(Partitioner.Create(group, EnumerablePartitionerOptions.NoBuffering), within, i => lines.Put(i, Answer(requests[i], search).ToJsonString()));
        });
    }

    /// <summary>What requests have in common that one search answers; null for a request that none does.</summary>
    private static string? GroupOf(SimulationRequest request)
    {
        try
        {
            return request.Policy == PlanPolicy.Auto ? PlanKey.OfSearch(request.ToPlan(), request.Hardware) : null;
        }
        catch (Exception e) when (e is UserErrorException or OverflowException)
        {
            return null; // its answer will say so
        }
    }

    /// <summary>A request that a policy refuses to look at is one without a plan: the others go on.</summary>
    private static JsonObject Answer(SimulationRequest request, Lazy<BudgetSearch?> search)
    {
        try
        {
            return SimulationJson.Of(SimulationAnswer.Of(request, search.Value));
        }
        catch (UserErrorException e)
        {
            return SimulationJson.Of(new SimulationAnswer.Infeasible(request, e.Message));
        }
    }

    private static IEnumerable<string> Lines(string path)
    {
        try
        {
            return path == "-" ? ReadInput() : File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {e.Message}");
        }
    }

    private static List<string> ReadInput()
    {
        var lines = new List<string>();
        while (Console.In.ReadLine() is { } line)
        {
            lines.Add(line);
        }

        return lines;
    }
}
