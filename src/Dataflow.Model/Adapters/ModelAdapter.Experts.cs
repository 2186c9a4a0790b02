namespace Dataflow.Model;

/// <content>Adapters of experts: of each of them alone, or of a tensor that holds the matrices of all.</content>
public sealed partial class ModelAdapter
{
    /// <summary>A tensor that holds the matrices of all experts.</summary>
    private static bool IsStack(NamedParameter parameter) =>
        AdaptedRows.IsOfExperts(parameter.Spec.Name) && parameter.Spec.Parts.Length == 1 && parameter.Part.Shape.Length > 2;

    private static bool Named(string name, string ending) => name == ending || name.EndsWith("." + ending, StringComparison.Ordinal);

    /// <summary>What patterns of ranks are matched with.</summary>
    private static string KeyOf(NamedParameter target) =>
        IsStack(target) ? target.Name : LayerAdapter.ModuleOf(target.Name)!;

    private static void CheckExperts(ModelConfig model, AdapterConfig config, List<NamedParameter> targets)
    {
        if (targets.Find(p => p.Spec.Name == WeightName.Router) is { } router)
        {
            throw new UserErrorException(
                $"the adapter's targets mean {router.Name} of {model.Name}, which chooses experts; an adapter of it is not supported: "
                    + "leave it out of them, and it stays as it is"
            );
        }

        if (targets.Find(p => IsStack(p) && !config.MeansParameter(p.Name)) is { } stack)
        {
            throw new UserErrorException(
                $"the adapter's targets mean {stack.Name} of {model.Name}, which holds the matrices of all experts: name it in "
                    + "target_parameters, not among modules"
            );
        }

        // PEFT takes the second dimension for that of inputs, whichever it is.
        if (targets.Find(p => IsStack(p) && !p.Part.IsTransposed) is { } across)
        {
            throw new UserErrorException(
                $"target_parameters mean {across.Name} of {model.Name}, whose matrices are [out, in]; adapters of such tensors are not "
                    + "supported: name the modules of attention"
            );
        }

        var ofExperts = targets.Find(p => AdaptedRows.IsOfExperts(p.Spec.Name));
        if (ofExperts is not null && (config.UsesDora || config.Dropout > 0))
        {
            throw new UserErrorException(
                $"this adapter is of experts ({ofExperts.Name}) and uses {(config.UsesDora ? "DoRA" : "lora_dropout")}, which is not "
                    + "supported of them; leave it out"
            );
        }
    }

    private static IEnumerable<AdaptedRows> OfExperts(ModelConfig model, AdapterConfig config, List<NamedParameter> targets)
    {
        foreach (var matrix in targets.GroupBy(t => t.Spec.Name))
        {
            var first = matrix.First();
            int experts = model.KindOf(first.Layer!.Value).Experts!.Count, ranks = 0;
            int ofExpert = IsStack(first) ? 1 : first.Spec.Parts.Length / experts;
            foreach (var part in matrix.GroupBy(t => first.Spec.Parts.IndexOf(t.Part) % ofExpert).OrderBy(g => g.Key))
            {
                var one = part.First();
                int rank = config.RankOf(KeyOf(one));
                double scale = config.ScaleOf(KeyOf(one));
                if (!IsStack(one)
                    && (part.Count() != experts || part.Any(p => config.RankOf(KeyOf(p)) != rank || config.ScaleOf(KeyOf(p)) != scale)))
                {
                    throw new UserErrorException(
                        $"the adapter's targets mean {one.Name} of {model.Name}, and not the same of every expert of that layer, with one "
                            + "rank and one alpha; name all of them alike"
                    );
                }

                long rows = one.Part.ElementCount / one.Spec.Columns / (IsStack(one) ? experts : 1);
                yield return new(
                    one.Spec.Name, part.Key, part.Key == 0 ? 0 : one.Part.FirstElement / one.Spec.Columns, rows, ranks, rank, scale)
                {
                    MatrixRows = one.Spec.Rows / experts,
                    Experts = experts,
                    Stack = IsStack(one) ? ModuleOfStack(one, targets) : null,
                };
                ranks += rank;
            }
        }
    }

    /// <summary>
    /// The module that PEFT wraps: one that has several such tensors is wrapped for each in turn, the last of them outermost.
    /// </summary>
    private static string ModuleOfStack(NamedParameter stack, List<NamedParameter> targets)
    {
        static string Module(NamedParameter p) => p.Part.CheckpointName[..p.Part.CheckpointName.LastIndexOf('.')];
        int within = targets.Count(t => Module(t) == Module(stack) && t.Spec.Name > stack.Spec.Name);
        return Module(stack) + string.Concat(Enumerable.Repeat(".base_layer", within));
    }
}
