using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// How a run's parameters differ in their updates. Where several groups have a parameter, the last that sets a number decides on that
/// number; what has no decay by its class comes before all groups.
/// </summary>
public sealed class ParameterGroups : IEquatable<ParameterGroups>
{
    /// <summary>What an option is given to have no groups.</summary>
    public const string NoneName = "none";

    private static readonly (ParameterClasses Class, string Name)[] s_classes =
    [
        (ParameterClasses.Norms, "norms"),
        (ParameterClasses.Biases, "biases"),
        (ParameterClasses.Embeddings, "embeddings"),
    ];

    /// <summary>All parameters are alike.</summary>
    public static ParameterGroups None { get; } = new();

    /// <summary>In the order in which they were given.</summary>
    public ImmutableArray<ParameterGroup> Groups { get; init; } = [];

    /// <summary>What has no weight decay, unless a group says otherwise.</summary>
    public ParameterClasses NoDecay { get; init; }

    /// <summary>Whether all parameters are alike.</summary>
    public bool IsEmpty => Groups.IsEmpty && NoDecay == ParameterClasses.None;

    /// <summary>Names that are known of classes, in order: "norms,biases,embeddings".</summary>
    public static string ClassNames { get; } = string.Join(',', s_classes.Select(c => c.Name));

    /// <summary>Reads "norms,biases".</summary>
    /// <exception cref="UserErrorException">One of the names is none.</exception>
    public static ParameterClasses ParseClasses(string text) =>
        text == NoneName
            ? ParameterClasses.None
            : text.Split(',')
                .Select(name =>
                    s_classes.FirstOrDefault(c => c.Name == name.Trim()) is { Name: not null } known
                        ? known.Class
                        : throw new UserErrorException(
                            $"'{name.Trim()}' is no class of parameters; give some of {ClassNames}, or {NoneName}"
                        )
                )
                .Aggregate((a, b) => a | b);

    /// <summary>As <see cref="ParseClasses"/> takes it.</summary>
    public static string NameOf(ParameterClasses classes) =>
        classes == ParameterClasses.None
            ? NoneName
            : string.Join(',', s_classes.Where(c => classes.HasFlag(c.Class)).Select(c => c.Name));

    /// <summary>Refuses groups that mean nothing of a model.</summary>
    /// <param name="model">That is trained.</param>
    /// <param name="rate">The run's learning rate.</param>
    /// <exception cref="UserErrorException">A pattern means no tensor that is trained, or a rate cannot be had.</exception>
    public void Check(ModelConfig model, float rate)
    {
        foreach (var group in Groups)
        {
            if (group.Pattern.Of(model, "--group").All(p => !p.Spec.IsTrained))
            {
                throw new UserErrorException($"--group {group}: all that it means is frozen; leave it out");
            }

            if (group.Rate is not null && rate == 0)
            {
                throw new UserErrorException(
                    $"--group {group}: its rate goes over the steps as --lr does, which is 0; give --lr or a factor"
                );
            }

            if (!float.IsFinite(rate * FactorOf(group, rate)))
            {
                throw new UserErrorException($"--group {group}: its learning rate is no finite number; give less");
            }
        }
    }

    /// <summary>What becomes of a step's numbers for a tensor.</summary>
    /// <param name="parameter">The tensor.</param>
    /// <param name="rate">The run's learning rate, which those of groups are relative to.</param>
    public UpdateScale ScaleOf(NamedParameter parameter, float rate)
    {
        var scale = (parameter.Classes & NoDecay) == 0 ? UpdateScale.One : new UpdateScale(1, 0, 0);
        foreach (var group in Groups.Where(g => g.Pattern.Matches(parameter.Name)))
        {
            scale = scale with { Rate = group.Rate is null && group.Factor is null ? scale.Rate : FactorOf(group, rate) };
            scale = group.Decay is { } decay ? scale with { Decay = 0, OwnDecay = decay } : scale;
        }

        return scale;
    }

    /// <inheritdoc/>
    public bool Equals(ParameterGroups? other) =>
        other is not null && NoDecay == other.NoDecay && Groups.AsSpan().SequenceEqual(other.Groups.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ParameterGroups);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Groups.Length, NoDecay);

    private static float FactorOf(ParameterGroup group, float rate) =>
        group.Rate is { } own ? (float)((double)own / rate) : group.Factor ?? 1;
}
