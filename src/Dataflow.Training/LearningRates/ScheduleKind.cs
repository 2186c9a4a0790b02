namespace Dataflow.Training;

/// <summary>An option of a kind of schedule.</summary>
/// <param name="Name">As it is given.</param>
/// <param name="About">What it is, and its default.</param>
/// <param name="Choices">The words that it may be; null: it is a number.</param>
public sealed record ScheduleOption(string Name, string About, IReadOnlyList<string>? Choices = null);

/// <summary>A kind of schedule.</summary>
public sealed class ScheduleKind
{
    internal ScheduleKind(
        string name,
        string about,
        IReadOnlyList<ScheduleOption> options,
        Func<ScheduleSpan, ScheduleValues, Func<long, double>> factor
    ) => (Name, About, Options, Factor) = (name, about, options, factor);

    /// <summary>As it is given.</summary>
    public string Name { get; }

    /// <summary>What it does with the rate, for people.</summary>
    public string About { get; }

    /// <summary>What it can be told.</summary>
    public IReadOnlyList<ScheduleOption> Options { get; }

    /// <summary>By what the rate is multiplied in each step, from 0.</summary>
    internal Func<ScheduleSpan, ScheduleValues, Func<long, double>> Factor { get; }
}
