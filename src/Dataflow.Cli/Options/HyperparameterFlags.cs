using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>An option for each number that an optimizer is set by.</summary>
internal sealed class HyperparameterFlags
{
    /// <summary>The option that asks for a moving average of the weights: plans have it, too.</summary>
    public const string Ema = "--ema";

    private readonly (Hyperparameter Number, Option<float?> Option)[] options =
    [
        .. Hyperparameter.All.Where(n => n != Hyperparameter.AverageDecay).Select(n => (n, OptionOf(n))),
    ];

    /// <summary>All of them, in the order in which people should read them.</summary>
    public IEnumerable<Option> All => options.Select(o => o.Option);

    /// <summary>What was given, and the optimizer's defaults for the rest.</summary>
    /// <exception cref="UserErrorException">Something was given that the optimizer has not.</exception>
    public OptimizerSettings Bind(ParseResult parsed, Optimizer optimizer)
    {
        var settings = optimizer.Defaults;
        foreach (var (number, option) in options)
        {
            if (parsed.GetValue(option) is not { } value)
            {
                continue;
            }

            settings = optimizer.Hyperparameters.Contains(number)
                ? settings.With(number, value)
                : throw new UserErrorException(
                    $"{option.Name} is nothing that {optimizer} has; leave it out"
                );
        }

        if (optimizer.KeepsAverage && parsed.GetValue<float?>(Ema) is { } decay)
        {
            settings = settings.With(Hyperparameter.AverageDecay, decay);
        }

        return optimizer.Fault(settings) is { } fault ? throw new UserErrorException(fault) : settings;
    }

    private static Option<float?> OptionOf(Hyperparameter number)
    {
        var real = Values.Real(number.Least, number.Below, number.LeastAllowed);
        Func<string, float> parse = !number.IsWhole ? real
            : number.Below > 2 ? t => Values.Whole(t, (int)number.Least, (int)number.Below - 1)
            : t => t is "0" or "1" ? real(t) : throw new UserErrorException($"'{t}' will not do; give 0 or 1");
        return Declare.Option<float?>(
            $"--{number.Name}",
            "X",
            $"{number.About} [default: {Defaults(number)}]",
            t => parse(t)
        );
    }

    /// <summary>"adamw, muon and lion".</summary>
    private static string Listed(string[] names) =>
        names.Length == 1 ? names[0] : $"{string.Join(", ", names.SkipLast(1))} and {names[^1]}";

    /// <summary>"0.0003"; where not all optimizers that have it agree, each with its name.</summary>
    private static string Defaults(Hyperparameter number)
    {
        var having = Optimizer
            .All.Where(o => o.Hyperparameters.Contains(number))
            .GroupBy(o => $"{o.Defaults[number]:0.##########}")
            .ToList();
        return having.Count == 1
            ? having[0].Key
            : string.Join("; ", having.Select(g => $"{g.Key} of {Listed([.. g.Select(o => o.Name)])}"));
    }
}
