using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>
/// Embedding and head of Llama and Qwen3: their parameters, and their math as lists of kernel calls. Those of the head run once for each
/// sub-chunk of a chunk's tokens, so that no tokens x vocabulary matrix exists; what runs once after all sub-chunks is a list of its own.
/// </summary>
internal static class DecoderVocabulary
{
    /// <summary>The table of embeddings, which a tied head shares.</summary>
    public static ParameterSpec Embedding(ModelConfig model) =>
        ParameterSpec.Matrix(
            WeightName.EmbeddingTable,
            model.ModelDim,
            InitialValues.Embedding,
            ("model.embed_tokens.weight", model.VocabSize)
        );

    /// <summary>The final norm.</summary>
    public static ParameterSpec FinalNorm(ModelConfig model) =>
        ParameterSpec.Vector(WeightName.FinalNorm, InitialValues.One, ("model.norm.weight", model.ModelDim));

    /// <summary>The head's own parameters, in memory order: a tied one has no matrix.</summary>
    public static ImmutableArray<ParameterSpec> Head(ModelConfig model) =>
        model.TiedEmbedding ? [FinalNorm(model)] : [FinalNorm(model), HeadMatrix(model)];

    /// <summary>The head's own matrix.</summary>
    public static ParameterSpec HeadMatrix(ModelConfig model) =>
        ParameterSpec.Matrix(
            WeightName.HeadMatrix,
            model.ModelDim,
            InitialValues.FanIn(model.ModelDim),
            ("lm_head.weight", model.VocabSize)
        );

    /// <summary>
    /// Rows of the embedding table. Where it is cut, the first block computed also zeroes the rows of other ids, and later ones leave them
    /// alone.
    /// </summary>
    public static ImmutableArray<KernelCall> Embed() =>
        [
            new EmbeddingForwardCall
            {
                Ids = Ids,
                Table = W(WeightName.EmbeddingTable),
                X = Output,
            },
        ];

    /// <summary>Adds the stream's gradient to the table's rows, or to those of a block.</summary>
    public static ImmutableArray<KernelCall> EmbedBackward() =>
        [
            new EmbeddingBackwardCall
            {
                Ids = Ids,
                Order = Order,
                GradX = GradStream,
                GradTable = G(WeightName.EmbeddingTable),
            },
        ];

    /// <summary>Final norm, logits and loss of a sub-chunk: all that an evaluation wants.</summary>
    public static ImmutableArray<KernelCall> Evaluate(ModelConfig model) =>
        [
            .. BlockLogits(model),
            new CrossEntropyCall
            {
                Logits = Logits,
                Targets = Targets,
                GradLogits = GradLogits,
                Workspace = Partials,
                Loss = Loss,
            },
        ];

    /// <summary>The same and back.</summary>
    public static ImmutableArray<KernelCall> HeadCalls(ModelConfig model) =>
        [.. Evaluate(model), InputGradient(model, GradHeadNorm, sums: false), WeightGradient(model), NormBackward(GradHeadNorm)];

    /// <summary>Final norm and logits of a block of the vocabulary into the statistics of its rows.</summary>
    public static ImmutableArray<KernelCall> HeadLoss(ModelConfig model) =>
        [
            .. BlockLogits(model),
            new CrossEntropyStatisticsCall
            {
                Logits = Logits,
                Targets = Targets,
                Statistics = LogitStatistics,
            },
        ];

    /// <summary>The same for the last block: after all sub-chunks, the chunk's loss.</summary>
    public static ImmutableArray<KernelCall> HeadLastLoss(ModelConfig model) =>
        [
            .. HeadLoss(model),
            new CrossEntropyLossCall
            {
                Targets = Targets,
                Statistics = LogitStatistics,
                Loss = Loss,
            },
        ];

    /// <summary>The same logits again, and back to the normed input, whose gradients add up over blocks.</summary>
    public static ImmutableArray<KernelCall> HeadBackward(ModelConfig model) =>
        [
            .. BlockLogits(model),
            new CrossEntropyGradientCall
            {
                Logits = Logits,
                Targets = Targets,
                Statistics = LogitStatistics,
                GradLogits = GradLogits,
            },
            InputGradient(model, GradHeadSum, sums: true),
            WeightGradient(model),
        ];

    /// <summary>The same for the first block, which comes last: the gradient is complete and passes the norm.</summary>
    public static ImmutableArray<KernelCall> HeadFirstBackward(ModelConfig model) => [.. HeadBackward(model), NormBackward(GradHeadSum)];

    private static ImmutableArray<KernelCall> BlockLogits(ModelConfig model) =>
        [
            new RmsNormForwardCall
            {
                X = Input,
                Weight = W(WeightName.FinalNorm),
                Y = HeadNorm,
                Rstd = HeadRstd,
            },
            new GemmForwardCall
            {
                A = HeadNorm,
                B = W(model.HeadMatrix),
                C = Logits,
            },
        ];

    private static GemmInputGradientCall InputGradient(ModelConfig model, TensorName result, bool sums) =>
        new()
        {
            A = GradLogits,
            B = W(model.HeadMatrix),
            C = result,
            Sums = sums,
        };

    private static GemmWeightGradientCall WeightGradient(ModelConfig model) =>
        new()
        {
            A = GradLogits,
            B = HeadNorm,
            C = G(model.HeadMatrix),
        };

    private static RmsNormBackwardCall NormBackward(TensorName gradient) =>
        new()
        {
            GradY = gradient,
            X = Input,
            Rstd = HeadRstd,
            Weight = W(WeightName.FinalNorm),
            GradX = GradStream,
            Adds = false,
            GradWeight = G(WeightName.FinalNorm),
            Workspace = Partials,
        };
}
