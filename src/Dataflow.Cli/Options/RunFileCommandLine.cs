using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>A command line that names a run file where a model stands: the file's settings are options that it may override.</summary>
internal static class RunFileCommandLine
{
    /// <summary>Says of a command's model that it may be a run file.</summary>
    public static void AddTo(Command command)
    {
        var model = command.Arguments.First(a => a.Name == RunFile.ModelKey);
        model.Description += "; or a run file (.yaml, .yml or .json)";
        command.Options.Add(new ModelOption());
    }

    /// <summary>The options of a command that a run file may have as keys.</summary>
    public static IEnumerable<Option> Settings(Command command) =>
        command.Options.Where(o => o is not (HelpOption or VersionOption or EventsOption or SchemaOption or ModelOption));

    /// <summary>The run file that a command line names; null: it names none.</summary>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static RunFile? Of(ParseResult given) =>
        Model(given) is { Tokens: [{ Value: var named }] } && RunFile.IsOne(named) ? RunFile.Read(named)
        : Other(given) is null ? null
        : throw new UserErrorException("--model is for run files; name the model itself");

    /// <summary>The command line with what the file says, where it does not say otherwise itself.</summary>
    /// <param name="file">The file.</param>
    /// <param name="given">The command line.</param>
    /// <param name="elsewhere">Names that are settings of other commands: these are passed over.</param>
    /// <exception cref="UserErrorException">A key is no option, or its value is none of its option's; with the line.</exception>
    public static ParseResult Complete(RunFile file, ParseResult given, IReadOnlySet<string>? elsewhere = null)
    {
        var command = given.CommandResult.Command;
        var options = Settings(command).ToDictionary(o => o.Name[2..]);
        var tokens = new List<string>();
        foreach (var entry in file.Settings.Where(e => e.Name != RunFile.ModelKey))
        {
            if (!options.TryGetValue(entry.Name, out var option))
            {
                if (elsewhere?.Contains(entry.Name) != true)
                {
                    string meant = Spelling.DidYouMean(entry.Name, [.. options.Keys, RunFile.ModelKey, .. RunFile.Blocks]);
                    throw Fault(file, entry, $"{entry.Name} is no option of {command.Name}{meant}");
                }
            }
            else if (!given.WasGiven(option) && !ResumedCommandLine.IsReplaced(option, given))
            {
                tokens.AddRange(Texts(file, entry, option).Select(text => text is null ? option.Name : $"{option.Name}={text}"));
            }
        }

        // What the completed line has no use for: the file, and the model in the place of its own.
        var other = Other(given);
        Token[] spent = [.. Model(given)!.Tokens, .. other?.Tokens ?? [], .. new[] { other?.IdentifierToken }.OfType<Token>()];
        string[] verbs = [.. given.Tokens.TakeWhile(t => t.Type == TokenType.Command).Select(t => t.Value)];
        string[] model = other is not null ? [other.Tokens[^1].Value]
            : file.Entries.FirstOrDefault(e => e.Name == RunFile.ModelKey) is { } entryOfModel
            ? [file.TextOf(RunFile.ModelKey) ?? throw Fault(file, entryOfModel, "model takes one name")]
            : [];
        // The model in front: an option that may go without a value would take it for one.
        var completed = given.RootCommandResult.Command.Parse(
            [.. verbs, .. model, .. tokens, .. given.Tokens.Skip(verbs.Length).Where(t => !spent.Contains(t)).Select(t => t.Value)],
            given.Configuration);
        return completed.Errors.Count == 0 ? completed : throw Fault(file, completed.Errors[0]);
    }

    private static ArgumentResult? Model(ParseResult given) =>
        given.CommandResult.Command.Arguments is [{ Name: RunFile.ModelKey } model] ? given.GetResult(model) : null;

    private static OptionResult? Other(ParseResult given) =>
        given.CommandResult.Command.Options.OfType<ModelOption>().FirstOrDefault() is { } option ? given.GetResult(option) : null;

    /// <summary>What the option is to be given, once or several times; null: without a value.</summary>
    private static IEnumerable<string?> Texts(RunFile file, RunFileEntry entry, Option option)
    {
        string? placeholder = option.HelpName;
        bool isFlag = option.ValueType == typeof(bool);
        switch (entry.Value)
        {
            case null:
                throw Fault(file, entry, $"{entry.Name} has no value; give one, or leave the line out");
            case JsonValue scalar:
                string text = scalar.GetValue<string>();
                return isFlag && text is not ("true" or "false") ? throw Fault(file, entry, $"{entry.Name} is true or false, not '{text}'")
                    : text == "true" && !isFlag && option.Arity.MinimumNumberOfValues == 0 ? [null]
                    : [text];
            case JsonArray list when option.Arity.MaximumNumberOfValues > 1:
                return Scalars(file, entry, list);
            case JsonArray { Count: 1 } list when !isFlag:
                return Scalars(file, entry, list);
            case JsonArray list when placeholder?.Contains(',', StringComparison.Ordinal) == true:
                return [string.Join(',', Scalars(file, entry, list))];
            case JsonObject pairs when placeholder?.Contains('=', StringComparison.Ordinal) == true:
                var each = pairs.Select(p => $"{p.Key}={Scalars(file, entry, [p.Value?.DeepClone()])[0]}");
                return option.Arity.MaximumNumberOfValues > 1 ? each : [string.Join(',', each)];
            default:
                throw Fault(file, entry, $"{entry.Name} takes {(isFlag ? "true or false" : $"one value ({placeholder})")}, and this is "
                    + $"{(entry.Value is JsonArray ? "a list" : "a mapping")}");
        }
    }

    private static string[] Scalars(RunFile file, RunFileEntry entry, JsonArray list) =>
        [
            .. list.Select(item => item is JsonValue one ? one.GetValue<string>()
                : throw Fault(file, entry, $"{entry.Name} takes plain values, and one of its items is none")),
        ];

    private static UserErrorException Fault(RunFile file, RunFileEntry entry, string why) => new($"{file.Path}, line {entry.Line}: {why}");

    private static UserErrorException Fault(RunFile file, ParseError error) =>
        error.SymbolResult is OptionResult { Option.Name: var name }
        && file.Entries.FirstOrDefault(e => $"--{e.Name}" == name) is { } entry
            ? Fault(file, entry, error.Message.TrimEnd('.'))
            : new UserErrorException($"{file.Path}: {error.Message.TrimEnd('.')}");
}
