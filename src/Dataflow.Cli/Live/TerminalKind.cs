namespace Dataflow.Cli;

/// <summary>What a terminal can show.</summary>
/// <param name="Unicode">Blocks and dots, not ASCII alone.</param>
/// <param name="Colours">Colours; NO_COLOR asks for none.</param>
internal readonly record struct TerminalKind(bool Unicode, bool Colours)
{
    /// <summary>That of standard output; null where it is no terminal, or one that cannot move its cursor.</summary>
    public static TerminalKind? OfOutput() => Console.IsOutputRedirected ? null : Of(Environment.GetEnvironmentVariable);

    /// <summary>By the variables of a process.</summary>
    public static TerminalKind? Of(Func<string, string?> variable)
    {
        string terminal = variable("TERM") ?? "";
        if (terminal is "" or "dumb")
        {
            return null;
        }

        string[] locales = ["LC_ALL", "LC_CTYPE", "LANG"];
        string locale = locales.Select(variable).FirstOrDefault(v => !string.IsNullOrEmpty(v)) ?? "";
        bool unicode = locale.Contains("utf-8", StringComparison.OrdinalIgnoreCase)
            || locale.Contains("utf8", StringComparison.OrdinalIgnoreCase);
        bool colours = string.IsNullOrEmpty(variable("NO_COLOR")) && !terminal.StartsWith("vt", StringComparison.Ordinal);
        return new TerminalKind(unicode && !terminal.StartsWith("vt", StringComparison.Ordinal), colours);
    }
}
