using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Cli;

/// <summary>
/// --schema: the keys of a run file as a JSON schema, for editors. It is made of the command's options, and of nothing else.
/// </summary>
internal sealed class SchemaOption : Option<bool>
{
    private static readonly JsonSerializerOptions s_format =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The option.</summary>
    public SchemaOption()
        : base("--schema")
    {
        Description = "print the JSON schema of run files, for editors, and do nothing else";
        Action = new Printing();
    }

    /// <summary>The schema of a command's run files.</summary>
    public static string Of(Command command)
    {
        var keys = new JsonObject
        {
            [RunFile.ModelKey] = new JsonObject
            {
                ["description"] = PlanFlags.AboutModel,
                ["type"] = "string",
            },
        };
        foreach (var option in RunFileCommandLine.Settings(command).OrderBy(o => o.Name, StringComparer.Ordinal))
        {
            var key = TypeOf(option);
            key.Insert(0, "description", option.Description);
            keys[option.Name[2..]] = key;
        }

        keys[RunFile.RecordedKey] = Block("what was recorded of the run that the file was saved with: hashes and the program's version");
        keys[RunFile.RecipeKey] = Block("what a recipe says of itself");
        return new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "a run file of dataflow train",
            ["type"] = "object",
            ["additionalProperties"] = false,
            ["properties"] = keys,
        }.ToJsonString(s_format) + "\n";
    }

    private static JsonObject Block(string description) => new() { ["description"] = description, ["type"] = "object" };

    private static JsonObject TypeOf(Option option)
    {
        var one = One(option);
        return option.Arity.MaximumNumberOfValues > 1 || Holds(option, ',') ? AnyOf(one, new JsonObject
        {
            ["type"] = "array",
            ["items"] = one.DeepClone(),
        }) : Holds(option, '=') ? AnyOf(one, new JsonObject { ["type"] = "object" })
            : one;
    }

    private static JsonObject One(Option option)
    {
        if (option.ValueType == typeof(bool))
        {
            return new JsonObject { ["type"] = "boolean" };
        }

        // Names between bars are offered, and others left to the option, some of which take more: devices, optimizers with an average.
        if (option.HelpName is { } names && names.Contains('|', StringComparison.Ordinal))
        {
            return AnyOf(
                new JsonObject { ["enum"] = new JsonArray([.. names.Split('|')]) },
                new JsonObject { ["type"] = "string" });
        }

        var values = Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType;
        string[] types = values == typeof(int) || values == typeof(long) || values == typeof(ulong) ? ["integer", "string"]
            : values == typeof(string) || values == typeof(string[]) ? ["string", "number", "boolean"]
            : values == typeof(float) || values == typeof(double) ? ["number", "string"]
            : option.Arity.MinimumNumberOfValues == 0 ? ["boolean", "string"]
            : ["string", "number"];
        return new JsonObject { ["type"] = new JsonArray([.. types]) };
    }

    private static bool Holds(Option option, char mark) => option.HelpName?.Contains(mark, StringComparison.Ordinal) == true;

    private static JsonObject AnyOf(params JsonNode[] choices) => new() { ["anyOf"] = new JsonArray(choices) };

    private sealed class Printing : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            Console.Out.Write(Of(parseResult.CommandResult.Command));
            return (int)ExitCode.Ok;
        }
    }
}
