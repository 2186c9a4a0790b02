using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>Elements of a parameter object that an optimizer updates alike.</summary>
/// <param name="First">Of the object.</param>
/// <param name="Count">With what lies between tensors, where these are updated elementwise.</param>
/// <param name="Update">How.</param>
/// <param name="Tensor">The checkpoint's tensor that it is, where a granule is more than an element.</param>
public sealed record StateRun(long First, long Count, TensorUpdate Update, WeightPart? Tensor)
{
    /// <summary>The element after the last.</summary>
    public long End => First + Count;

    /// <summary>The matrix that an update by Muon takes as a whole; null where it is elementwise.</summary>
    public MuonMatrix? Matrix =>
        Update.Rule == UpdateRule.Muon ? new((int)Tensor!.Shape[0], (int)Tensor.Shape[1], Tensor.IsTransposed) : null;
}

/// <summary>What of a run lies in a piece of state: the parts one after the other, each on 128 bytes.</summary>
/// <param name="Run">Whose state.</param>
/// <param name="First">Element of the object.</param>
/// <param name="Count">Elements.</param>
/// <param name="Offset">Of its first byte in the piece.</param>
public readonly record struct StateSlice(StateRun Run, long First, long Count, Bytes Offset)
{
    private const long Alignment = 128;

    /// <summary>The element after the last.</summary>
    public long End => First + Count;

    /// <summary>Bytes of all parts.</summary>
    public Bytes Length => OffsetOf(Run.Update.Parts.Length) - Offset;

    /// <summary>Where a part begins in the piece.</summary>
    public Bytes OffsetOf(int part)
    {
        long offset = Offset.Value;
        for (int i = 0; i < part; i++)
        {
            offset += (Run.Update.Parts[i].SizeOf(Count).Value + Alignment - 1) / Alignment * Alignment;
        }

        return new Bytes(offset);
    }
}

/// <summary>
/// How an optimizer's state of one parameter object lies in memory, and where it may be cut: tensors that are updated elementwise are one
/// run with all between them; blocks and whole matrices are those of the checkpoint's tensors, never of a fused tensor or of a piece.
/// </summary>
public sealed class StateLayout
{
    private const long ElementAlignment = 128;
    private readonly long elements;
    private readonly Recipe recipe;

    /// <param name="layout">Of a parameter object that is trained.</param>
    /// <param name="optimizer">Whose state.</param>
    /// <param name="recipe">Says of which types.</param>
    public StateLayout(ParameterLayout layout, Optimizer optimizer, Recipe recipe)
    {
        (elements, this.recipe) = (layout.ElementCount, recipe);
        Runs = optimizer.IsElementwise
            ? [new StateRun(0, elements, optimizer.Otherwise(recipe), null)]
            : [.. Merged(Tensors(layout, optimizer, recipe))];
    }

    /// <summary>In memory order. What is in none is padding, and has no state.</summary>
    public ImmutableArray<StateRun> Runs { get; }

    /// <summary>Bytes of the state of consecutive elements.</summary>
    /// <exception cref="ArgumentException">The range parts what must be together.</exception>
    public Bytes Size(long first, long count)
    {
        var slices = Slices(first, count);
        return slices.IsEmpty ? Bytes.Zero : slices[^1].Offset + slices[^1].Length;
    }

    /// <summary>Bytes of scratch that an update of consecutive elements needs; none where all is elementwise.</summary>
    public Bytes Scratch(long first, long count) =>
        Slices(first, count)
            .Select(s => s.Run.Matrix)
            .OfType<MuonMatrix>()
            .Aggregate(Bytes.Zero, (most, matrix) => Bytes.Max(most, new MuonScratch(matrix, recipe.Activations).Length));

    /// <summary>Whether a piece may end, and the next begin, at an element.</summary>
    public bool MayCut(long at) => Runs.All(run => at <= run.First || at >= run.End || IsBorder(run, at));

    /// <summary>What lies in the state of consecutive elements.</summary>
    /// <exception cref="ArgumentException">The range parts what must be together.</exception>
    public ImmutableArray<StateSlice> Slices(long first, long count)
    {
        var slices = ImmutableArray.CreateBuilder<StateSlice>();
        var offset = Bytes.Zero;
        foreach (var run in Runs)
        {
            long from = Math.Max(first, run.First), to = Math.Min(first + count, run.End);
            if (from >= to)
            {
                continue;
            }

            if (!IsBorder(run, from) || !IsBorder(run, to))
            {
                throw new ArgumentException($"elements {from} to {to} part a granule of {run.Update.Granule}", nameof(count));
            }

            var slice = new StateSlice(run, from, to - from, offset);
            slices.Add(slice);
            offset += slice.Length;
        }

        return slices.ToImmutable();
    }

    /// <summary>
    /// Cuts the object in pieces of about so many elements, exactly so many where all is elementwise; what an update must have at once
    /// makes a piece larger.
    /// </summary>
    /// <returns>Elements of each piece; together they are all of the object's.</returns>
    public ImmutableArray<long> Cut(long pieceElements)
    {
        var counts = ImmutableArray.CreateBuilder<long>();
        long start = 0;
        void End(long at)
        {
            counts.Add(at - start);
            start = at;
        }

        foreach (var run in Runs)
        {
            long granule = run.Update.Granule;
            while (run.End - start > pieceElements)
            {
                // The last place at which the piece may end: the run's start, or one where a granule does, and weights are aligned.
                long most = start + pieceElements;
                long at = most < run.First ? run.First
                    : granule > 1 ? run.First + ((most - run.First) / granule * granule)
                    : most / ElementAlignment * ElementAlignment;
                if (at > start)
                {
                    End(at);
                }
                else if (start + granule >= run.End)
                {
                    break;
                }
                else
                {
                    End(start + granule);
                }
            }
        }

        if (start < elements)
        {
            End(elements);
        }

        return counts.ToImmutable();
    }

    private static bool IsBorder(StateRun run, long at) => at == run.End || (at - run.First) % run.Update.Granule == 0;

    private static IEnumerable<StateRun> Tensors(ParameterLayout layout, Optimizer optimizer, Recipe recipe)
    {
        foreach (var tensor in layout.Tensors)
        {
            if (tensor.Spec.RowsOf is { } table)
            {
                // Blocks count from the table's start: see the limits of a geometry.
                var update = optimizer.UpdateOf(table, table.Parts.Single(), recipe);
                yield return new StateRun(tensor.ElementOffset, tensor.Count, update, table.Parts.Single());
            }

            foreach (var part in tensor.Spec.Parts)
            {
                long first = tensor.ElementOffset + part.FirstElement;
                yield return new StateRun(first, part.ElementCount, optimizer.UpdateOf(tensor.Spec, part, recipe), part);
            }
        }
    }

    private static IEnumerable<StateRun> Merged(IEnumerable<StateRun> tensors)
    {
        StateRun? last = null;
        foreach (var run in tensors)
        {
            if (last is { Update.Granule: 1 } && run.Update.IsLike(last.Update))
            {
                last = last with { Count = run.End - last.First, Tensor = null };
                continue;
            }

            if (last is not null)
            {
                yield return last;
            }

            last = run;
        }

        if (last is not null)
        {
            yield return last;
        }
    }
}
