using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What a search chose.</summary>
/// <param name="Choice">Geometry and residency.</param>
/// <param name="Hash">Of the plan that it is lowered to; null as long as it was not.</param>
internal sealed record CachedChoice(PlanChoice Choice, string? Hash);

/// <summary>
/// Choices of earlier searches, a file each, named by all that the search depended on. It only saves time: what cannot be read counts as
/// not there, what cannot be written is left, and nothing is said of either. The folder may be deleted at any time.
/// </summary>
/// <param name="folder">Where the files are; null: nowhere.</param>
/// <param name="mostFiles">Of more than that the older ones go.</param>
public sealed class PlanCache(string? folder, int mostFiles = 10_000)
{
    private const int Version = 1;
    private static readonly Bytes LargestFile = new(1 << 22);
    private bool isShort;

    /// <summary>One that knows nothing and keeps nothing.</summary>
    public static PlanCache None { get; } = new(null);

    /// <summary>That of this checkout, else beside the program.</summary>
    public static PlanCache OfThisMachine => new(Locations.Cache("plans"));

    /// <summary>The choice under a key, if there is one.</summary>
    internal CachedChoice? Read(string key)
    {
        if (folder is null)
        {
            return null;
        }

        try
        {
            string file = FileOf(key);
            return File.Exists(file) ? Parse(InputFile.ReadText(file, LargestFile), key) : null;
        }
        catch (Exception e)
            when (e
                    is IOException
                        or UnauthorizedAccessException
                        or UserErrorException
                        or JsonException
                        or InvalidOperationException
                        or FormatException
                        or ArgumentException
            )
        {
            return null;
        }
    }

    /// <summary>Keeps a choice, in place of what is there under its key.</summary>
    internal void Write(string key, CachedChoice found)
    {
        if (folder is null)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(folder);
            Shorten();
            AtomicFile.WriteText(FileOf(key), Text(key, found));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or UserErrorException or MachineException)
        {
            // A cache that cannot be written is none.
        }
    }

    /// <summary>
    /// Once in a program's life: of too many files the older half goes. Budgets that follow from free memory differ each time, and what
    /// they leave here is never asked for again.
    /// </summary>
    private void Shorten()
    {
        if (isShort)
        {
            return;
        }

        isShort = true;
        var files = new DirectoryInfo(folder!).GetFiles("*.json");
        foreach (var file in files.Length > mostFiles ? files.OrderBy(f => f.LastWriteTimeUtc).Take(files.Length - (mostFiles / 2)) : [])
        {
            file.Delete();
        }
    }

    private static string Text(string key, CachedChoice found)
    {
        var choice = PlanChoiceJson.Of(found.Choice);
        return new JsonObject
        {
            ["version"] = Version,
            ["key"] = key,
            ["plan_hash"] = found.Hash,
            ["choice_hash"] = HashOf(choice),
            ["choice"] = choice,
        }.ToJsonString() + "\n";
    }

    private static CachedChoice? Parse(string text, string key)
    {
        return
            JsonNode.Parse(text) is JsonObject file
            && (int?)file["version"] == Version
            && (string?)file["key"] == key
            && (string?)file["plan_hash"] is { } hash
            && file["choice"] is { } choice
            && (string?)file["choice_hash"] == HashOf(choice)
            ? new CachedChoice(PlanChoiceJson.Parse(choice), hash)
            : null;
    }

    private static string HashOf(JsonNode choice) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(choice.ToJsonString())));

    private string FileOf(string key) => Path.Combine(folder!, key + ".json");
}
