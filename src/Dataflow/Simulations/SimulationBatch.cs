using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Requests as JSON lines in, answers as JSON lines out: in order, on all cores.</summary>
public static class SimulationBatch
{
    private static readonly Bytes LargestBatch = new(64 << 20);

    /// <summary>Answers a file. All lines are read before the first is answered, so that a mistake costs no time.</summary>
    /// <exception cref="UserErrorException">The file cannot be read, or a line is no request.</exception>
    /// <param name="path">The file, a request a line.</param>
    /// <param name="output">Where answers go, one a line.</param>
    /// <param name="cache">What searches found before.</param>
    /// <param name="note">Told what files of the models say in vain, before the first answer.</param>
    public static void Run(string path, TextWriter output, PlanCache cache, Action<IReadOnlyList<string>> note)
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

        note(reader.Notes);
        var lines = new OrderedLines(output, requests.Count);
        SimulationGroups.Answer(requests, cache, (i, answer) => lines.Put(i, SimulationJson.Of(answer).ToJsonString()));
    }

    private static IReadOnlyList<string> Lines(string path) => InputFile.ReadLines(path == "-" ? "/dev/stdin" : path, LargestBatch);
}
