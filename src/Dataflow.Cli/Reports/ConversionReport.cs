using System.Text.Json.Nodes;
using Dataflow.Formats;

namespace Dataflow.Cli;

/// <summary>What an import or an export made, in a line.</summary>
internal static class ConversionReport
{
    /// <summary>Prints it; what a user should know beside it goes to standard error.</summary>
    /// <param name="made">What was made.</param>
    /// <param name="path">Where.</param>
    /// <param name="json">As one JSON object.</param>
    public static ExitCode Print(ModelWritten made, string path, bool json)
    {
        if (json)
        {
            Console.Out.WriteLine(new JsonObject
            {
                ["path"] = path,
                ["model"] = made.Model.Name,
                ["parameters"] = made.Model.ParameterCount,
                ["bytes"] = made.Size.Value,
                ["files"] = new JsonArray([.. made.Files.Select(f => (JsonNode)f)]),
                ["notes"] = new JsonArray([.. made.Notes.Select(n => (JsonNode)n)]),
            }.ToJsonString());
            return ExitCode.Ok;
        }

        Notices.Tell(made.Notes);
        string files = made.Files.Count > 1 ? $" in {made.Files.Count} files" : "";
        Console.Out.WriteLine($"{path}: {made.Model.ParameterCount:N0} parameters, {made.Size}{files}");
        return ExitCode.Ok;
    }
}
