using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>A result with what it holds for.</summary>
internal sealed record KeptResult(string Stage, string Case, string Commit, string At, double Seconds, CaseResult Result);

/// <summary>
/// gpu_check.json and gpu_check.md of a folder: written after each case and whole at any time, so that a check that is cut short keeps what
/// it has and goes on from there.
/// </summary>
internal sealed class ResultFile
{
    /// <summary>The file for machines, which a later call reads.</summary>
    public const string JsonName = "gpu_check.json";

    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };
    private readonly string folder;
    private readonly string device;
    private readonly List<KeptResult> results = [];

    private ResultFile(string folder, string device) => (this.folder, this.device) = (folder, device);

    /// <summary>In the order of the stages.</summary>
    public IReadOnlyList<KeptResult> All => results;

    private string JsonPath => Path.Combine(folder, JsonName);

    /// <summary>What a folder has; nothing where it is new or of another device.</summary>
    /// <exception cref="UserErrorException">The folder cannot be made.</exception>
    public static ResultFile Open(string folder, string device)
    {
        var file = new ResultFile(folder, device);
        try
        {
            Directory.CreateDirectory(folder);
            if (
                File.Exists(file.JsonPath)
                && JsonNode.Parse(File.ReadAllText(file.JsonPath)) is JsonObject kept
                && (string?)kept["device"] == device
            )
            {
                file.results.AddRange(
                    kept["cases"]!
                        .AsArray()
                        .Select(c => c!.AsObject())
                        .Select(c => new KeptResult(
                            (string)c["stage"]!,
                            (string)c["case"]!,
                            (string)c["commit"]!,
                            (string)c["at"]!,
                            (double)c["seconds"]!,
                            CaseResult.FromJson(c)
                        ))
                );
            }
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException or ArgumentException)
        {
            file.results.Clear(); // not of this program: it is written anew
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"results cannot be kept in {folder}: {e.Message}; name another folder with --out");
        }

        return file;
    }

    /// <summary>The result of a case for these sources, if there is one.</summary>
    public KeptResult? Find(string stage, string name, string commit) =>
        results.FirstOrDefault(r => r.Stage == stage && r.Case == name && r.Commit == commit);

    /// <summary>Keeps a result in the place of an earlier one, and writes both files.</summary>
    public void Keep(KeptResult result)
    {
        results.RemoveAll(r => r.Stage == result.Stage && r.Case == result.Case);
        results.Add(result);
        var order = StageList.All.Select((s, i) => (s.Name, i)).ToDictionary(s => s.Name, s => s.i);
        var sorted = results.OrderBy(r => order.GetValueOrDefault(r.Stage, int.MaxValue)).ToList();
        results.Clear();
        results.AddRange(sorted);
        AtomicFile.WriteText(JsonPath, ToJson().ToJsonString(s_indented) + "\n");
        AtomicFile.WriteText(Path.Combine(folder, "gpu_check.md"), ResultTable.Of(device, results));
    }

    private JsonObject ToJson() => new()
    {
        ["device"] = device,
        ["cases"] = new JsonArray([.. results.Select(r =>
        {
            var json = r.Result.ToJson();
            json.Insert(0, "stage", r.Stage);
            json.Insert(1, "case", r.Case);
            json.Insert(2, "commit", r.Commit);
            json.Insert(3, "at", r.At);
            json.Insert(4, "seconds", Math.Round(r.Seconds, 2));
            return json;
        })]),
    };
}
