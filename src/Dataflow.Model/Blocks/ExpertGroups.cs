namespace Dataflow.Model;

/// <summary>
/// How the matrices of a layer's experts are cut into objects of their own, each of consecutive experts: the second matrix into
/// <paramref name="Groups"/>, the first, which has twice its size where units are gated, into twice as many, so that all are of one size.
/// Products run object by object; experts do not depend on each other, and a token's results are added up in one order, so no bit changes.
/// </summary>
/// <param name="Experts">Of a layer.</param>
/// <param name="Groups">Objects of the second matrix.</param>
/// <param name="Gated">The first matrix has rows for gates and for units.</param>
public sealed record ExpertGroups(int Experts, int Groups, bool Gated)
{
    private const int Few = 8;
    private const int Most = 32;
    private const long SmallestObject = 1 << 24;

    // What a tensor begins on, in elements: objects follow each other as their elements do in the whole.
    private const long Alignment = 128;

    /// <summary>Of a kind of layer; null where a layer's experts are not cut.</summary>
    internal static ExpertGroups? Of(ModelConfig model, LayerKind kind, Geometry geometry) =>
        geometry.ExpertGroups is { } groups && kind.Experts is { } experts ? new(experts.Count, groups, model.GatedFfn) : null;

    /// <summary>Objects that a matrix lies in; null of what is no matrix of experts.</summary>
    internal int? CountOf(WeightName name) => name switch
    {
        WeightName.ExpertGateUp => Gated ? 2 * Groups : Groups,
        WeightName.ExpertDown => Groups,
        _ => null,
    };

    /// <summary>
    /// The numbers of groups that are worth it where the experts of all sparse layers can be cut so: doubling, none where they cannot be.
    /// </summary>
    /// <param name="model">Whose experts.</param>
    public static IEnumerable<int> CountsOf(ModelConfig model)
    {
        for (int groups = 1; (groups <= Few || IsWorth(model, groups)) && Fault(model, groups) is null; groups *= 2)
        {
            yield return groups;
        }
    }

    // Each object is an op a pass, and a copy whose latency shows if it is small.
    private static bool IsWorth(ModelConfig model, int groups) =>
        groups <= Most
        && model.Kinds.Max(k => k.Experts is { } e ? (long)e.Count * e.Dim * model.ModelDim / groups : 0) >= SmallestObject;

    /// <summary>Why a model's experts cannot be cut so, as a phrase for a message; null if they can.</summary>
    public static string? Fault(ModelConfig model, int groups)
    {
        ArgumentNullException.ThrowIfNull(model);
        var sparse = model.Kinds.Where(k => k.Experts is not null).Distinct().ToList();
        string name = $"the experts of {model.Name} cannot lie in {groups} groups";
        return groups < 1 || sparse.Count == 0 ? $"{name}: " + (groups < 1 ? "give at least 1" : "it has none")
            : model.HasPostNorms || sparse.Exists(k => k.Experts!.Beside) ? $"{name}: their results have a norm of their own"
            : sparse.Exists(k => k.Adapter?.Parts.Any(p => AdaptedRows.IsOfExperts(p.Matrix)) == true) ? $"{name}: they have adapters"
            : sparse.Exists(k => k.FrozenType is not null && !(k.Trains(WeightName.ExpertGateUp) && k.Trains(WeightName.ExpertDown)))
                ? $"{name}: they are stored in a type of their own"
            : sparse.Find(k => !MayCut(model, k, groups)) is { } kind
                ? $"{name}: a layer has {kind.Experts!.Count} of width {kind.Experts.Dim}, which are not whole experts a group of a "
                    + $"multiple of {Alignment} parameters"
            : null;
    }

    private static bool MayCut(ModelConfig model, LayerKind kind, int groups)
    {
        var experts = kind.Experts!;
        long most = model.GatedFfn ? 2L * groups : groups;
        return experts.Count % most == 0 && experts.Count / most * (model.GatedFfn ? 2 : 1) * experts.Dim * model.ModelDim % Alignment == 0
            && experts.Count / groups * (long)experts.Dim * model.ModelDim % Alignment == 0;
    }
}
