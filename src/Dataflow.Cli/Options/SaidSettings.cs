using System.CommandLine;
using System.CommandLine.Parsing;

namespace Dataflow.Cli;

/// <summary>What was said of a run on the command line, in its run file, and by the saved run that it goes on with.</summary>
internal static class SaidSettings
{
    /// <summary>All that was said.</summary>
    /// <param name="given">The command line.</param>
    /// <param name="withFile">Completed by a run file, or the same.</param>
    /// <param name="complete">That, completed by a saved run, or the same.</param>
    public static IReadOnlyList<RunSetting> Of(ParseResult given, ParseResult withFile, ParseResult complete) =>
        [
            .. complete.CommandResult.Command.Arguments
                .Where(a => complete.GetResult(a) is { Tokens.Count: > 0 })
                .Select(a => new RunSetting(
                    a.Name,
                    [.. complete.GetResult(a)!.Tokens.Select(t => t.Value)],
                    Origin(l => l.WasGivenModel() || Texts(l.GetResult(a)).SequenceEqual(Texts(complete.GetResult(a))), given, withFile))),
            .. RunFileCommandLine.Settings(complete.CommandResult.Command)
                .Where(complete.WasGiven)
                .Select(o => new RunSetting(
                    o.Name[2..],
                    complete.GetResult(o)!.Tokens is { Count: > 0 } tokens ? [.. tokens.Select(t => t.Value)] : ["true"],
                    Origin(l => l.WasGiven(o), given, withFile))),
        ];

    private static bool WasGivenModel(this ParseResult line) =>
        line.CommandResult.Command.Options.OfType<ModelOption>().Any(o => line.WasGiven(o));

    private static IEnumerable<string> Texts(SymbolResult? result) => result?.Tokens.Select(t => t.Value) ?? [];

    private static SettingOrigin Origin(Func<ParseResult, bool> has, ParseResult given, ParseResult withFile) =>
        has(given) ? SettingOrigin.CommandLine : has(withFile) ? SettingOrigin.RunFile : SettingOrigin.SavedRun;
}
