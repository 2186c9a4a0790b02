using System.CommandLine;
using System.CommandLine.Help;

namespace Dataflow.Cli;

/// <summary>What --help prints: what a command is for, how it is called, its options in groups, and examples.</summary>
internal sealed class HelpText(TextWriter output, int width)
{
    private const int Narrowest = 60;
    private const int Widest = 120;
    private const int WidestNames = 26;
    private const string Indent = "  ";

    /// <summary>For the console, as wide as it is.</summary>
    public static HelpText OnConsole() => new(Console.Out, Console.IsOutputRedirected ? 100 : WidthOfConsole());

    /// <summary>All of it.</summary>
    public void Write(Command command, string root, IReadOnlyList<string> examples)
    {
        Paragraph(command.Description ?? "", "");
        Section("Usage", [Usage(command, root)]);
        if (command.Subcommands.Count > 0)
        {
            Table("Verbs", [.. command.Subcommands.Select(c => (c.Name, c.Description ?? ""))]);
        }

        Table("Arguments", [.. command.Arguments.Select(a => ($"<{a.Name}>", a.Description ?? ""))]);
        var options = command.Options.Where(o => !o.Hidden).ToList();
        Func<Option, bool>[] apart = [OptionGroups.IsAdvanced, OptionGroups.IsOfAdapters, OptionGroups.IsOfPreferences];
        Table("Options", [.. options.Where(o => !apart.Any(has => has(o))).Select(Row)]);
        Table("Adapters (LoRA)", [.. options.Where(OptionGroups.IsOfAdapters).Select(Row)]);
        Table("Preferences (DPO)", [.. options.Where(OptionGroups.IsOfPreferences).Select(Row)]);
        Table("Advanced options", [.. options.Where(OptionGroups.IsAdvanced).Select(Row)]);
        Section(examples.Count == 1 ? "Example" : "Examples", examples);
        if (command.Subcommands.Count > 0)
        {
            Paragraph(
                $"Memory: 24GiB, 512MiB, 24GB (10^9 bytes); a plain number is GiB. Tokens: 4096, 4k (1k = 1,024), 1M (1M = 1,048,576). "
                    + $"`{root} help VERB` says more of a verb.",
                ""
            );
        }
    }

    /// <summary>A command with the verbs that lead to it.</summary>
    public static string NameOf(Command command, string root) => command is RootCommand ? root
        : $"{(command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? NameOf(parent, root) : root)} {command.Name}";

    private static string Usage(Command command, string root)
    {
        string arguments = string.Concat(
            command.Arguments.Select(a =>
                a.Arity.MinimumNumberOfValues > 0
                    ? $" <{a.Name}>{(a.Arity.MaximumNumberOfValues > 1 ? "..." : "")}"
                    : $" [<{a.Name}>{(a.Arity.MaximumNumberOfValues > 1 ? "..." : "")}]"
            )
        );
        return NameOf(command, root)
            + (command.Subcommands.Count > 0 ? " <verb>" : "")
            + arguments
            + " [options]";
    }

    private static (string, string) Row(Option option)
    {
        // The library's own two are named by all their names.
        bool own = option is HelpOption or VersionOption;
        string names = own ? string.Join(", ", option.Aliases.Where(a => a.StartsWith('-')).Prepend(option.Name)) : option.Name;
        string text = option is HelpOption ? "print this" : option is VersionOption ? "print the version" : option.Description ?? "";
        return (option.HelpName is { } value ? $"{names} {value}" : names, option.Required ? $"{text} (required)" : text);
    }

    private void Section(string heading, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
        {
            return;
        }

        output.WriteLine($"{heading}:");
        foreach (string line in lines)
        {
            output.WriteLine(Indent + line); // whole, to be copied
        }

        output.WriteLine();
    }

    /// <summary>Names to the left, what they mean to the right; names that are too long have a line of their own.</summary>
    private void Table(string heading, IReadOnlyList<(string Name, string Text)> rows)
    {
        if (rows.Count == 0)
        {
            return;
        }

        output.WriteLine($"{heading}:");
        int names = Math.Min(WidestNames, rows.Max(r => r.Name.Length));
        string beside = new(' ', Indent.Length + names + 2);
        foreach (var (name, text) in rows)
        {
            var lines = Wrapped(text, width - beside.Length);
            bool fits = name.Length <= names;
            output.WriteLine((fits ? Indent + name.PadRight(names + 2) + lines[0] : Indent + name).TrimEnd());
            foreach (string line in lines.Skip(fits ? 1 : 0))
            {
                output.WriteLine(beside + line);
            }
        }

        output.WriteLine();
    }

    private void Paragraph(string text, string indent)
    {
        foreach (string line in Wrapped(text, width))
        {
            output.WriteLine(indent + line);
        }

        output.WriteLine();
    }

    private static List<string> Wrapped(string text, int width)
    {
        var lines = new List<string>();
        string line = "";
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            bool full = line.Length > 0 && line.Length + 1 + word.Length > width;
            if (full)
            {
                lines.Add(line);
            }

            line = full || line.Length == 0 ? word : $"{line} {word}";
        }

        lines.Add(line);
        return lines;
    }

    private static int WidthOfConsole()
    {
        try
        {
            return Math.Clamp(Console.WindowWidth, Narrowest, Widest);
        }
        catch (IOException)
        {
            return 100; // a terminal that does not say
        }
    }
}
