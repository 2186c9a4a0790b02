using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>One copy of each parameter object in bf16; gradients and either moment take the same.</summary>
/// <param name="Block">B = 2 * (2D + 2D^2 + 2D kv + 3DF).</param>
/// <param name="Embedding">E = 2VD.</param>
/// <param name="Head">Q = 2(V + 1)D: norm and matrix.</param>
public sealed record BlockSizes(Bytes Block, Bytes Embedding, Bytes Head)
{
    /// <summary>Of that model.</summary>
    public static BlockSizes Of(ModelConfig model)
    {
        var type = Recipe.Bf16.Parameters;
        return new BlockSizes(
            ParameterLayout.Block(model, new LayerKind(model.FfnDim)).Size(type),
            ParameterLayout.Embedding(model).Size(type),
            ParameterLayout.Head(model).Size(type)
        );
    }
}
