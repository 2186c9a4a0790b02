using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>The options that a schedule was given, read as its kind says.</summary>
internal sealed class ScheduleValues
{
    private readonly Dictionary<string, string> given = [];
    private readonly string kind;

    /// <exception cref="UserErrorException">Something else was given.</exception>
    public ScheduleValues(ScheduleKind kind, string? text)
    {
        this.kind = kind.Name;
        foreach (string one in (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] parts = one.Split('=', 2, StringSplitOptions.TrimEntries);
            var option = parts.Length == 2 ? kind.Options.FirstOrDefault(o => o.Name == parts[0]) : null;
            if (option is null)
            {
                throw new UserErrorException(
                    kind.Options.Count == 0
                        ? $"schedule {kind.Name} has no options, and '{one}' was given"
                        : $"'{one}' is no option of schedule {kind.Name}; it has "
                            + string.Join(", ", kind.Options.Select(o => $"{o.Name}=..."))
                );
            }

            if (option.Choices is { } choices && !choices.Contains(parts[1]))
            {
                throw new UserErrorException($"{option.Name} of schedule {kind.Name} is {string.Join(" or ", choices)}, not '{parts[1]}'");
            }

            if (!given.TryAdd(option.Name, parts[1]))
            {
                throw new UserErrorException($"{option.Name} was given twice");
            }
        }
    }

    /// <summary>Whether an option was given.</summary>
    public bool Has(string name) => given.ContainsKey(name);

    /// <summary>A word.</summary>
    public string Word(string name, string otherwise) => given.GetValueOrDefault(name, otherwise);

    /// <summary>A number within limits.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public double Number(string name, double otherwise, double least = double.MinValue, double most = double.MaxValue)
    {
        if (!given.TryGetValue(name, out string? text))
        {
            return otherwise;
        }

        bool number = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value);
        return number && value >= least && value <= most
            ? value
            : throw new UserErrorException($"{name} of schedule {kind} is '{text}'; give a number{Within(least, most)}");
    }

    /// <summary>A number above 0.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public double Positive(string name, double otherwise) =>
        Number(name, otherwise, least: 0) is > 0 and var value
            ? value
            : throw new UserErrorException($"{name} of schedule {kind} must be above 0");

    /// <summary>A whole number from 0.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public long Count(string name, long otherwise) =>
        Number(name, otherwise, least: 0, most: 1L << 53) is var value && value == Math.Floor(value)
            ? (long)value
            : throw new UserErrorException($"{name} of schedule {kind} is no whole number");

    private static string Within(double least, double most) =>
        (least > double.MinValue, most < double.MaxValue) switch
        {
            (true, true) => string.Create(CultureInfo.InvariantCulture, $" from {least} to {most}"),
            (true, false) => string.Create(CultureInfo.InvariantCulture, $" of at least {least}"),
            _ => "",
        };
}
