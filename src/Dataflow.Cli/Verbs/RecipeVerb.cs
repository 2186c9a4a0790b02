using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow recipe: runs that are set up.</summary>
internal static class RecipeVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
        ["dataflow recipe list", "dataflow recipe show lora-8b", "dataflow recipe run lora-8b data=talks.jsonl lr=1e-4"];

    private static readonly string[] s_ofList = ["dataflow recipe list"],
        s_ofShow = ["dataflow recipe show qlora-70b"],
        s_ofRun = ["dataflow recipe run lora-8b data=talks.jsonl checkpoint=runs/talks", "dataflow recipe run dpo-8b data=pairs.jsonl"],
        s_ofPlan = ["dataflow recipe plan lora-8b"];

    /// <summary>The command.</summary>
    public static Command Command() => new("recipe", "Runs that are set up: lists them, shows what they need and take, runs them.");

    /// <summary>Its verbs, each with its examples.</summary>
    public static IEnumerable<(Command Verb, string[] Examples)> Verbs(Command root)
    {
        var recipe = root.Subcommands.First(c => c.Name == "recipe");
        (Command, string[])[] all = [(List(), s_ofList), (Show(), s_ofShow), (Run(root), s_ofRun), (Plan(), s_ofPlan)];
        foreach (var (verb, _) in all)
        {
            recipe.Add(verb);
        }

        return all;
    }

    private static Command List()
    {
        var command = new Command("list", "Lists the recipes.");
        command.SetAction(_ =>
        {
            var table = new TextTable("recipe", "tok/s", "on", "");
            foreach (var recipe in TrainingRecipe.All())
            {
                var machine = recipe.Machines[0];
                table.Add(recipe.Name, Number(machine.Figures?.TokensPerSecond, "N0"), machine.Hardware, recipe.Title);
            }

            table.WriteTo(Console.Out);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Command Show()
    {
        var command = new Command("show", "Shows a recipe: what it is for, what it needs, its settings, and what is predicted of it.");
        var name = Name();
        command.Arguments.Add(name);
        command.SetAction(parsed =>
        {
            var recipe = TrainingRecipe.Named(parsed.GetRequiredValue(name));
            Console.Out.WriteLine($"{recipe.Name}: {recipe.Title}\n{recipe.About}\n\nIt needs:");
            foreach (var (setting, what) in recipe.Needs)
            {
                Console.Out.WriteLine($"  {setting}=...  {what}");
            }

            Console.Out.WriteLine("\nIts settings, which key=value behind `recipe run` overrides:");
            foreach (var entry in recipe.File.Settings)
            {
                Console.Out.WriteLine($"  {entry.Name}: {entry.Value}");
            }

            Console.Out.WriteLine();
            Write(recipe, recipe.Machines);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Command Run(Command root)
    {
        var command = new Command("run", "Trains by a recipe, with what is given besides or otherwise.");
        var name = Name();
        var settings = new Argument<string[]>("key=value")
        {
            Description = "options of train without their dashes, as data=talks.jsonl",
            Arity = ArgumentArity.ZeroOrMore,
        };
        command.Arguments.Add(name);
        command.Arguments.Add(settings);
        command.SetAction(parsed =>
        {
            var recipe = TrainingRecipe.Named(parsed.GetRequiredValue(name));
            string[] given = parsed.GetValue(settings) ?? [];
            if (given.FirstOrDefault(s => s.IndexOf('=', StringComparison.Ordinal) < 1) is { } strange)
            {
                throw new UserErrorException($"'{strange}' is no key=value; write an option of train so, for example steps=100");
            }

            string[] keys = [.. given.Select(s => s.Split('=')[0])];
            foreach (var (missing, what) in recipe.Needs.Where(n => !keys.Contains(n.Key)))
            {
                throw new UserErrorException($"recipe {recipe.Name} needs {missing}: {what}; give {missing}=...");
            }

            var line = root.Parse(["train", recipe.File.Path, .. given.Select(s => $"--{s}")], parsed.Configuration);
            return line.Errors is [var error, ..]
                ? throw new UserErrorException(Explained(line, error))
                : line.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        });
        return command;
    }

    private static Command Plan()
    {
        var command = new Command("plan", "Plans a recipe for the machines that it names, and predicts it there anew.");
        var name = Name();
        name.Arity = ArgumentArity.ZeroOrOne;
        name.Description += " [default: all of them]";
        var write = Declare.Flag("--write", "write the figures into the recipe's file");
        command.Arguments.Add(name);
        command.Options.Add(write);
        command.SetAction(parsed =>
        {
            foreach (var recipe in parsed.GetValue(name) is { } one ? [TrainingRecipe.Named(one)] : TrainingRecipe.All())
            {
                var planned = RecipePlans.Of(recipe);
                Write(recipe, planned);
                if (parsed.GetValue(write))
                {
                    recipe.Write(planned);
                }
            }

            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Argument<string> Name() => Declare.Argument("name", "a recipe, as `dataflow recipe list` has it", t => t);

    private static string Explained(ParseResult line, ParseError error)
    {
        var options = line.CommandResult.Command.Options.Select(o => o.Name).ToList();
        var named = line.Tokens.Select(t => t.Value.Split('=')[0]).Where(t => t.StartsWith("--", StringComparison.Ordinal));
        return named.FirstOrDefault(n => !options.Contains(n)) is { } unknown
            ? $"{unknown[2..]} is no option of train{Spelling.DidYouMean(unknown, options)}"
            : error.Message.TrimEnd('.');
    }

    private static void Write(TrainingRecipe recipe, IReadOnlyList<RecipeMachine> machines)
    {
        Console.Out.WriteLine($"Predicted for {recipe.Name}, of {recipe.Tokens:N0} tokens:");
        var table = new TextTable("machine", "device budget", "host budget", "tok/s", "hours", "device GiB", "host GiB");
        foreach (var machine in machines)
        {
            var f = machine.Figures;
            table.Add(
                machine.Hardware, machine.Device, machine.Host, Number(f?.TokensPerSecond, "N0"), Number(f?.Hours, "N1"),
                Number(f?.DeviceGib, "0.0"), Number(f?.HostGib, "0.0"));
        }

        table.WriteTo(Console.Out);
    }

    private static string Number(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";
}
