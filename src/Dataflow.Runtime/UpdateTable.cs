using System.Collections.Frozen;
using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>Consecutive elements of one tensor of a parameter object that are updated alike.</summary>
/// <param name="First">Of the object.</param>
/// <param name="Count">Elements.</param>
/// <param name="Scale">What they make of the step's numbers.</param>
public readonly record struct UpdateRun(long First, long Count, UpdateScale Scale);

/// <summary>
/// How the elements of each parameter object are updated: its tensors in memory order, cut where groups of parameters meet.
/// </summary>
public sealed class UpdateTable
{
    /// <summary>Elements that are stored and rounded together; no two groups may meet within them.</summary>
    private const int Granularity = 8;

    private readonly FrozenDictionary<ParameterOwner, ImmutableArray<UpdateRun>> runs;

    private UpdateTable(FrozenDictionary<ParameterOwner, ImmutableArray<UpdateRun>> runs) => this.runs = runs;

    /// <summary>The runs of an object that is updated.</summary>
    public ImmutableArray<UpdateRun> this[ParameterOwner owner] => runs[owner];

    /// <summary>All tensors whole, with the step's numbers.</summary>
    public static UpdateTable Plain(Workload workload) => Of(workload, static _ => UpdateScale.One);

    /// <summary>Of groups.</summary>
    /// <param name="workload">What is trained.</param>
    /// <param name="groups">Checked against its model.</param>
    /// <param name="rate">The run's learning rate, which those of groups are relative to.</param>
    /// <exception cref="UserErrorException">Two tensors of other groups share elements that are stored together.</exception>
    public static UpdateTable Of(Workload workload, ParameterGroups groups, float rate) => Of(workload, p => groups.ScaleOf(p, rate));

    private static UpdateTable Of(Workload workload, Func<NamedParameter, UpdateScale> scaleOf)
    {
        var model = workload.Model;
        var programs = new BlockPrograms(model, workload.Recipe, workload.Geometry);
        var parameters = NamedParameter.All(model).ToLookup(p => (p.Layer, p.Spec.Name));
        bool cut = programs.Vocabulary.AreCut;
        IEnumerable<ParameterOwner> owners =
        [
            .. programs.EmbeddingLayouts.Select((_, b) => ParameterOwner.Embedding(cut ? new VocabularyBlock(b) : null)),
            .. model.Layers.SelectMany(l => programs[l].Parts.Select((_, p) => new ParameterOwner(l, Part: p))),
            ParameterOwner.Head,
            .. programs.HeadBlockLayouts.Select((_, b) => ParameterOwner.HeadBlock(new VocabularyBlock(b))),
            .. programs.ApartLayout is null ? [] : new[] { ParameterOwner.Apart },
        ];
        return new UpdateTable(
            owners.ToFrozenDictionary(
                owner => owner,
                owner => owner.Layout(programs).Tensors
                    .SelectMany(t => RunsOf(t, parameters[(owner.Layer, t.Name)], scaleOf))
                    .ToImmutableArray()
            )
        );
    }

    private static List<UpdateRun> RunsOf(
        WeightTensor tensor, IEnumerable<NamedParameter> parts, Func<NamedParameter, UpdateScale> scaleOf)
    {
        if (tensor.Spec.Parts.IsEmpty)
        {
            // Rows of a table that is cut: a tensor of its own in checkpoints.
            return [new UpdateRun(tensor.ElementOffset, tensor.Count, scaleOf(parts.Single()))];
        }

        var runs = new List<UpdateRun>();
        string before = "";
        long begin = tensor.Spec.FirstRow * tensor.Columns;
        foreach (var part in parts.OrderBy(p => p.Part.FirstElement))
        {
            // Of some of the experts of a matrix: what of the tensor is theirs.
            long from = Math.Max(begin, part.Part.FirstElement);
            long count = Math.Min(begin + tensor.Count, part.Part.FirstElement + part.Part.ElementCount) - from;
            if (count <= 0)
            {
                continue;
            }

            var scale = scaleOf(part);
            long first = tensor.ElementOffset + from - begin;
            if (runs.Count > 0 && runs[^1].Scale == scale)
            {
                runs[^1] = runs[^1] with { Count = runs[^1].Count + count };
            }
            else if (runs.Count > 0 && first % Granularity != 0)
            {
                throw new UserErrorException(
                    $"{before} and {part.Name} share {Granularity} elements that are stored together, so they cannot be in groups of other "
                        + "numbers; give both the same"
                );
            }
            else
            {
                runs.Add(new UpdateRun(first, count, scale));
            }

            before = part.Name;
        }

        return runs;
    }
}
