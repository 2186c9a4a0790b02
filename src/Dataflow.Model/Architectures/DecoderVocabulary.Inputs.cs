using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <content>
/// What layers take of a token besides the stream (Gemma 4): the norm of a product of the embedding, layer by layer, and a row of a table,
/// which are added. The table is as long as that of embeddings and several times as wide; where the vocabulary is cut, it has blocks of its
/// own, and the product comes between the last block of embeddings and the first of these.
/// </content>
internal static partial class DecoderVocabulary
{
    private static ImmutableArray<ParameterSpec> InputParameters(ModelConfig model)
    {
        var (names, d, all) = (model.Names, model.ModelDim, model.LayerInputsDim);
        return
        [
            ParameterSpec.Matrix(
                WeightName.LayerInputTable,
                all,
                DecoderParameters.Initial(model, InitialValues.Embedding),
                (names.LayerInputTable + ".weight", model.VocabSize)
            ),
            ParameterSpec.Matrix(
                WeightName.LayerInputProjection,
                d,
                DecoderParameters.Initial(model, InitialValues.FanIn(d)),
                (names.LayerInputProjection + ".weight", all)
            ),
            ParameterSpec.Vector(
                WeightName.LayerInputNorm,
                InitialValues.One,
                (names.LayerInputNorm + ".weight", model.LayerInputDim)
            ),
        ];
    }

    /// <summary>The product of the embedding, normed layer by layer.</summary>
    public static ImmutableArray<KernelCall> ProjectInputs(ModelConfig model, TensorName embedding) =>
        [Projected(model, embedding), InputNorm(LayerInputRows)];

    /// <summary>Rows of the table, or of a block of it, to those of their tokens.</summary>
    public static ImmutableArray<KernelCall> AddInputRows(ModelConfig model) =>
        [
            new EmbeddingForwardCall
            {
                Ids = Ids,
                Table = W(WeightName.LayerInputTable),
                Scale = InputTableScale(model),
                X = LayerInputs,
                Adds = true,
            },
        ];

    /// <summary>Adds the gradient of what layers take to the table's rows, or to those of a block.</summary>
    public static ImmutableArray<KernelCall> AddInputRowsBackward(ModelConfig model) =>
        model.TrainsEmbedding
            ?
            [
                new EmbeddingBackwardCall
                {
                    Ids = Ids,
                    Order = Order,
                    Scale = InputTableScale(model),
                    GradX = GradLayerInputs,
                    GradTable = G(WeightName.LayerInputTable),
                },
            ]
            : [];

    /// <summary>
    /// Through norm and product to the embedding's gradient; the product is made again in the place of what layers took. The gradient of
    /// what they took is used up.
    /// </summary>
    public static ImmutableArray<KernelCall> ProjectInputsBackward(ModelConfig model)
    {
        bool trains = model.TrainsEmbedding;
        return
        [
            Projected(model, Input),
            InputNorm(LayerInputNormed),
            new RmsNormBackwardCall
            {
                GradY = GradLayerInputRows,
                X = LayerInputRows,
                Rstd = LayerInputRstd,
                Weight = W(WeightName.LayerInputNorm),
                GradX = GradLayerInputRows,
                Adds = false,
                GradWeight = trains ? G(WeightName.LayerInputNorm) : null,
                Workspace = Partials,
            },
            .. trains
                ? ImmutableArray.Create<KernelCall>(
                    new GemmWeightGradientCall
                    {
                        A = GradLayerInputs,
                        B = Input,
                        C = G(WeightName.LayerInputProjection),
                        Scale = ProjectionScale(model),
                    }
                )
                : [],
            new GemmInputGradientCall
            {
                A = GradLayerInputs,
                B = W(WeightName.LayerInputProjection),
                C = GradStream,
                Adds = true,
                Scale = ProjectionScale(model),
            },
        ];
    }

    private static GemmForwardCall Projected(ModelConfig model, TensorName embedding) =>
        new()
        {
            A = embedding,
            B = W(WeightName.LayerInputProjection),
            C = LayerInputs,
            Scale = ProjectionScale(model),
        };

    private static RmsNormForwardCall InputNorm(TensorName y) =>
        new()
        {
            X = LayerInputRows,
            Weight = W(WeightName.LayerInputNorm),
            Y = y,
            Rstd = LayerInputRstd,
        };

    private static float ProjectionScale(ModelConfig model) => (float)(1 / Math.Sqrt(model.ModelDim));

    private static float InputTableScale(ModelConfig model) => (float)Math.Sqrt(model.LayerInputDim);
}
