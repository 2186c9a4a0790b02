using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// Where a layer's experts lie in objects of their own: a pass is cut into pieces, each of which names one of these objects at most. The
/// pieces of a pass are calls of one program, in its order, over one scratch, where what one leaves the next finds.
/// </summary>
public sealed partial class LayerPrograms
{
    private readonly Dictionary<BlockProgram, ImmutableArray<BlockProgram>> pieces = new(ReferenceEqualityComparer.Instance);
    private readonly ExpertGroups? experts;
    private readonly ImmutableArray<int> ofExperts;
    private ImmutableArray<ParameterLayout>? uncut;

    /// <summary>The objects that experts alone lie in, in memory order; none where these lie with the other parameters.</summary>
    public ImmutableArray<int> ExpertParts => ofExperts;

    /// <summary>All other objects.</summary>
    public IEnumerable<int> OtherParts => allParts.Where(p => !IsOfExperts(p));

    /// <summary>
    /// All objects, in the order in which a backward makes their gradients final: those of experts, the second matrix first, then the
    /// others.
    /// </summary>
    public IEnumerable<int> PartsAsFinal =>
        [
            .. ofExperts.Where(p => Parts[p].Has(WeightName.ExpertDown)),
            .. ofExperts.Where(p => !Parts[p].Has(WeightName.ExpertDown)),
            .. OtherParts,
        ];

    /// <summary>Index of the object that is in that place among the others; beyond the last where there are fewer.</summary>
    public int OtherPart(int place) => OtherParts.Skip(place).Append(Parts.Length).First();

    /// <summary>The place of an object among the others.</summary>
    public int PlaceAmongOthers(int part) => part - ofExperts.Count(p => p < part);

    /// <summary>An object holds experts alone.</summary>
    public bool IsOfExperts(int part) => experts is not null && experts.CountOf(Parts[part].Tensors[0].Name) is not null;

    /// <summary>
    /// The object that an object's parameters would lie in were experts not cut, and the element of that at which it begins: what random
    /// numbers depend on, so that they do not depend on the cut.
    /// </summary>
    public (int Part, long FirstElement) Uncut(int part)
    {
        if (experts is null)
        {
            return (part, 0);
        }

        uncut ??= ParameterLayout.Block(model, Kind).Parts();
        int whole = uncut.Value.Length - 1;
        while (uncut.Value[whole].FirstElement > Parts[part].FirstElement)
        {
            whole--;
        }

        return (whole, Parts[part].FirstElement - uncut.Value[whole].FirstElement);
    }

    /// <summary>The pieces of a program of the layer: itself, unless experts lie in objects of their own.</summary>
    public ImmutableArray<BlockProgram> Pieces(BlockProgram program) =>
        pieces.TryGetValue(program, out var known) ? known : pieces[program] = ofExperts.IsEmpty ? [program] : Cut(program);

    /// <summary>The piece of a program that is the last to name an object or its gradients; null if none does.</summary>
    public int? LastPieceOf(BlockProgram program, int part)
    {
        var all = Pieces(program);
        int last = all.Length - 1;
        while (last >= 0 && !PartsOf(all[last]).Contains(part))
        {
            last--;
        }

        return last < 0 ? null : last;
    }

    private ImmutableArray<BlockProgram> Cut(BlockProgram program)
    {
        var cut = ImmutableArray.CreateBuilder<BlockProgram>();
        int from = 0;
        string? held = null;
        for (int i = 0; i < program.Calls.Length; i++)
        {
            if (ObjectOf(program, program.Calls[i]) is not { } named)
            {
                continue;
            }

            if (held is not null && held != named)
            {
                cut.Add(Piece(program, from, i));
                from = i;
            }

            held = named;
        }

        return from == 0 ? [program] : [.. cut, Piece(program, from, program.Calls.Length)];
    }

    private static BlockProgram Piece(BlockProgram program, int from, int end)
    {
        var calls = program.Calls[from..end];
        var operands = calls.SelectMany(c => c.Operands).ToHashSet();
        return program with { Calls = calls, Places = program.Places.Where(p => operands.Contains(p.Key)).ToImmutableDictionary() };
    }

    /// <summary>The object of experts whose parameters, or gradients, a call names: the role of its parameters.</summary>
    private string? ObjectOf(BlockProgram program, KernelCall call)
    {
        foreach (var operand in call.Operands)
        {
            if (operand.Tensor is TensorName.Weight or TensorName.WeightGradient && experts?.CountOf(operand.Weight) is not null)
            {
                string role = program.Places[operand].Role;
                return operand.Tensor == TensorName.Weight ? role
                    : Roles.WeightsOf(ofExperts.First(p => Roles.GradientsOf(p) == role));
            }
        }

        return null;
    }

    /// <summary>Products of experts object by object.</summary>
    private ImmutableArray<KernelCall> InGroups(ImmutableArray<KernelCall> calls)
    {
        if (experts is null)
        {
            return calls;
        }

        var all = ImmutableArray.CreateBuilder<KernelCall>();
        for (int i = 0; i < calls.Length;)
        {
            if (MatrixOf(calls[i]) is not { } matrix || experts.CountOf(matrix) is not { } groups)
            {
                all.Add(calls[i++]);
                continue;
            }

            // Products with one matrix and for its gradient take turns, so that each object is wanted once.
            int end = i + 1;
            while (end < calls.Length && MatrixOf(calls[end]) == matrix)
            {
                end++;
            }

            for (int g = 0; g < groups; g++)
            {
                foreach (var call in calls.AsSpan()[i..end])
                {
                    all.Add(OfGroup(call, g, groups, experts.Experts / groups));
                }
            }

            i = end;
        }

        return all.ToImmutable();
    }

    private static WeightName? MatrixOf(KernelCall call) => call switch
    {
        GroupedGemmForwardCall c => c.B.Weight,
        GroupedGemmInputGradientCall c => c.B.Weight,
        GroupedGemmWeightGradientCall c => c.C.Weight,
        _ => null,
    };

    private static KernelCall OfGroup(KernelCall call, int group, int groups, int each)
    {
        Operand Of(Operand matrix) => matrix with { Part = group };
        Operand Rows(Operand all) => all.Columns((long)group * each, each + 1);
        return call switch
        {
            GroupedGemmForwardCall c => c with { B = Of(c.B), ExpertRows = Rows(c.ExpertRows), Groups = groups },
            GroupedGemmInputGradientCall c => c with { B = Of(c.B), ExpertRows = Rows(c.ExpertRows), Groups = groups },
            GroupedGemmWeightGradientCall c => c with { C = Of(c.C), ExpertRows = Rows(c.ExpertRows), Groups = groups },
            _ => throw new ArgumentException($"{call.Kernel} is no product of experts", nameof(call)),
        };
    }
}
