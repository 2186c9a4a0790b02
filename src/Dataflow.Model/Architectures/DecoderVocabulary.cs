using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>
/// Embedding and head of Llama and Qwen3: their parameters, and their math as lists of kernel calls. Those of the head run once for each
/// sub-chunk of a chunk's tokens, so that no tokens x vocabulary matrix exists; what runs once after all sub-chunks is a list of its own.
/// </summary>
internal static partial class DecoderVocabulary
{
    /// <summary>The table of embeddings, which a tied head shares.</summary>
    public static ParameterSpec Embedding(ModelConfig model) =>
        ParameterSpec.Matrix(
            WeightName.EmbeddingTable,
            model.ModelDim,
            DecoderParameters.Initial(model, InitialValues.Embedding),
            (model.Names.Embedding + ".weight", model.VocabSize)
        ) with
        {
            IsTrained = model.Trains(WeightName.EmbeddingTable),
        };

    /// <summary>The parameters at a decoder's entry, in memory order.</summary>
    public static ImmutableArray<ParameterSpec> Embeddings(ModelConfig model) =>
        [Embedding(model), .. Beside(model).Select(p => p with { IsTrained = model.Trains(p.Name) })];

    /// <summary>What lies beside the table: positions that are learned, and what layers take of tokens.</summary>
    private static IEnumerable<ParameterSpec> Beside(ModelConfig model)
    {
        var (names, initial) = (model.Names, DecoderParameters.Initial(model, InitialValues.Embedding));
        if (model.LearnedPositions is { } positions)
        {
            yield return ParameterSpec.Matrix(WeightName.PositionTable, model.ModelDim, initial, (names.Positions + ".weight", positions));
        }

        foreach (var parameter in model.LayerInputDim > 0 ? InputParameters(model) : [])
        {
            yield return parameter;
        }
    }

    /// <summary>The final norm.</summary>
    public static IEnumerable<ParameterSpec> FinalNorm(ModelConfig model) =>
        DecoderParameters
            .Norm(model, WeightName.FinalNorm, WeightName.FinalNormBias, model.Names.FinalNorm)
            .Select(p => p with { IsTrained = model.Trains(p.Name) });

    /// <summary>
    /// The head's own parameters, in memory order: a tied one has no matrix. What is trained otherwise than the matrix, and adapters of
    /// embedding and head, come last, as an object apart (<see cref="ParameterSpec.Group"/> 1).
    /// </summary>
    public static ImmutableArray<ParameterSpec> Head(ModelConfig model)
    {
        ImmutableArray<ParameterSpec> own =
        [
            .. FinalNorm(model),
            .. model.Biases.HasFlag(Biases.Head)
                ?
                [
                    ParameterSpec.Vector(WeightName.HeadBias, InitialValues.Zero, (model.Names.Head + ".bias", model.VocabSize)) with
                    {
                        IsTrained = model.Trains(WeightName.HeadBias),
                    },
                ]
                : ImmutableArray<ParameterSpec>.Empty,
            .. model.TiedEmbedding ? [] : ImmutableArray.Create(HeadMatrix(model)),
        ];
        if (model.Adapter is not { } adapter)
        {
            return own;
        }

        bool trains = own[^1].IsTrained;
        IEnumerable<ParameterSpec> apart =
        [
            .. own.Where(p => p.IsTrained != trains),
            .. adapter.Ends?.Parameters(HeadMatrix(model)) ?? [],
            .. adapter.Ends?.LookedUp(Embedding(model)) ?? [],
        ];
        return [.. own.Where(p => p.IsTrained == trains), .. apart.Select(p => p with { Group = 1 })];
    }

    /// <summary>The head's own matrix.</summary>
    public static ParameterSpec HeadMatrix(ModelConfig model) =>
        ParameterSpec.Matrix(
            WeightName.HeadMatrix,
            model.ModelDim,
            DecoderParameters.Initial(model, InitialValues.FanIn(model.ModelDim)),
            (model.Names.Head + ".weight", model.VocabSize)
        ) with
        {
            IsTrained = model.Trains(WeightName.HeadMatrix),
        };

    /// <summary>
    /// Rows of the embedding table. Where it is cut, the first block computed also zeroes the rows of other ids, and later ones leave them
    /// alone.
    /// </summary>
    public static ImmutableArray<KernelCall> Embed(ModelConfig model) =>
        model.LayerInputDim == 0 ? EmbedRows(model)
        : [.. EmbedRows(model), .. ProjectInputs(model, Output), .. AddInputRows(model)];

    /// <summary>Rows of the table of embeddings alone.</summary>
    public static ImmutableArray<KernelCall> EmbedRows(ModelConfig model) =>
        [
            new EmbeddingForwardCall
            {
                Ids = Ids,
                Table = W(WeightName.EmbeddingTable),
                Scale = (float)model.EmbeddingScale,
                X = Output,
            },
            .. model.LearnedPositions is null
                ? []
                : ImmutableArray.Create<KernelCall>(
                    new EmbeddingForwardCall
                    {
                        Ids = Positions,
                        Table = W(WeightName.PositionTable),
                        X = Output,
                        Adds = true,
                    }
                ),
            .. AdapterCalls.Embed(model, Output),
        ];

    /// <summary>Adds the stream's gradient to the table's rows, or to those of a block.</summary>
    public static ImmutableArray<KernelCall> EmbedBackward(ModelConfig model) =>
        model.LayerInputDim == 0 ? EmbedRowsBackward(model)
        : [.. AddInputRowsBackward(model), .. ProjectInputsBackward(model), .. EmbedRowsBackward(model)];

    /// <summary>To the rows of the table of embeddings alone.</summary>
    public static ImmutableArray<KernelCall> EmbedRowsBackward(ModelConfig model) =>
        [.. model.TrainsEmbedding ? TableBackward(model) : [], .. AdapterCalls.EmbedBackward(model, GradStream)];

    private static ImmutableArray<KernelCall> TableBackward(ModelConfig model) =>
        [
            new EmbeddingBackwardCall
            {
                Ids = Ids,
                Order = Order,
                Scale = (float)model.EmbeddingScale,
                GradX = GradStream,
                GradTable = G(WeightName.EmbeddingTable),
            },
            .. model.LearnedPositions is null
                ? []
                : ImmutableArray.Create<KernelCall>(
                    new EmbeddingBackwardCall
                    {
                        Ids = Positions,
                        Order = PositionOrder,
                        GradX = GradStream,
                        GradTable = G(WeightName.PositionTable),
                    }
                ),
        ];

    /// <summary>Final norm, logits and loss of a sub-chunk: all that an evaluation wants.</summary>
    public static ImmutableArray<KernelCall> Evaluate(ModelConfig model) =>
        [
            .. BlockLogits(model),
            new CrossEntropyCall
            {
                Logits = Logits,
                LogitScale = (float)model.LogitScale,
                LogitSoftcap = (float?)model.LogitSoftcap,
                Targets = Targets,
                GradLogits = GradLogits,
                Workspace = Partials,
                Loss = Loss,
            },
        ];

    /// <summary>The same and back.</summary>
    public static ImmutableArray<KernelCall> HeadCalls(ModelConfig model) =>
        [.. Evaluate(model), .. Gradients(model, GradHeadNorm, sums: false), NormBackward(model, GradHeadNorm)];

    /// <summary>Final norm and logits of those tokens of a chunk that are asked for.</summary>
    public static ImmutableArray<KernelCall> LogitCalls(ModelConfig model) =>
        [
            new GatherRowsCall
            {
                From = StreamRows,
                Rows = LogitToken,
                To = LogitInput,
            },
            .. BlockLogits(model, LogitInput),
        ];

    /// <summary>Final norm and logits of a block of the vocabulary into the statistics of its rows.</summary>
    public static ImmutableArray<KernelCall> HeadLoss(ModelConfig model) =>
        [
            .. BlockLogits(model),
            new CrossEntropyStatisticsCall
            {
                Logits = Logits,
                LogitScale = (float)model.LogitScale,
                LogitSoftcap = (float?)model.LogitSoftcap,
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
                LogitScale = (float)model.LogitScale,
                LogitSoftcap = (float?)model.LogitSoftcap,
                Targets = Targets,
                Statistics = LogitStatistics,
                GradLogits = GradLogits,
            },
            .. Gradients(model, GradHeadSum, sums: true),
        ];

    /// <summary>The same for the first block, which comes last: the gradient is complete and passes the norm.</summary>
    public static ImmutableArray<KernelCall> HeadFirstBackward(ModelConfig model) =>
        [.. HeadBackward(model), NormBackward(model, GradHeadSum)];

    private static ImmutableArray<KernelCall> BlockLogits(ModelConfig model, TensorName input = Input) =>
        AdapterCalls.Forward(
            model.Adapter?.Ends,
            [
                (Norm with { X = input }).Forward(model, HeadNorm),
                new GemmForwardCall
                {
                    A = HeadNorm,
                    B = W(model.HeadMatrix),
                    Bias = model.Biases.HasFlag(Biases.Head) ? W(WeightName.HeadBias) : null,
                    C = Logits,
                },
            ]
        );

    private static GemmInputGradientCall InputGradient(ModelConfig model, TensorName result, bool sums) =>
        new()
        {
            A = GradLogits,
            B = W(model.HeadMatrix),
            C = result,
            Sums = sums,
        };

    /// <summary>From the gradient of the logits to those of the head's input and of what is trained.</summary>
    private static ImmutableArray<KernelCall> Gradients(ModelConfig model, TensorName result, bool sums)
    {
        var matrix = new GemmWeightGradientCall
        {
            A = GradLogits,
            B = HeadNorm,
            C = G(model.HeadMatrix),
        };
        var products = AdapterCalls.Backward(model.Adapter?.Ends, [InputGradient(model, result, sums), matrix]);
        return
        [
            .. products.Where(p => p != matrix || model.Trains(model.HeadMatrix)),
            .. model.Biases.HasFlag(Biases.Head) && model.Trains(WeightName.HeadBias)
                ? ImmutableArray.Create<KernelCall>(new ColumnSumCall { A = GradLogits, C = G(WeightName.HeadBias) })
                : [],

            // A whole tied table's gradient begins here, and with it that of what lies beside it.
            .. model.TiedEmbedding && !sums
                ? Embeddings(model).Where(p => p.IsTrained && p.Name.IsBesideEmbedding())
                    .Select(p => new ZeroCall { Gradient = G(p.Name) })
                : [],
            .. AdapterCalls.BeginEmbedding(model),
        ];
    }

    private static KernelCall NormBackward(ModelConfig model, TensorName gradient) =>
        Norm.Backward(model, gradient, GradStream, adds: false, model.Trains);

    private static DecoderNorm Norm => new(WeightName.FinalNorm, WeightName.FinalNormBias, Input, HeadRstd);
}
