using Dataflow.Model;

namespace Dataflow;

/// <summary>
/// Steps of a model's layers at one size of chunk, measured kernel by kernel: real products and attention of real shapes.
/// </summary>
/// <param name="Model">A name in models/.</param>
/// <param name="Layers">Of the model's; all are alike.</param>
/// <param name="Vocabulary">Rows of embedding and head.</param>
/// <param name="Seqlen">Tokens of a sequence.</param>
/// <param name="ChunkTokens">Tokens of a chunk.</param>
/// <param name="ChunksPerRound">More than one where a sequence is longer than a chunk.</param>
public sealed record CalibrationCase(string Model, int Layers, int Vocabulary, int Seqlen, int ChunkTokens, int ChunksPerRound = 1)
{
    /// <summary>What is measured on a CPU: the models that are trained on CPUs, and layers of a larger one.</summary>
    public static IReadOnlyList<CalibrationCase> Cpu { get; } =
    [
        new("micro", 2, 256, 256, 64, 4),
        new("micro", 2, 256, 256, 128, 2),
        new("micro", 2, 256, 256, 256),
        new("micro", 2, 256, 256, 512) { Optimizer = Optimizer.AdamW8Bit },
        new("micro", 2, 256, 256, 1024),
        new("micro", 2, 256, 1024, 256, 4),
        new("micro", 2, 256, 1024, 1024),
        new("nano", 2, 256, 128, 128),
        new("nano", 2, 256, 128, 512),
        new("1b", 1, 2048, 64, 64),
    ];

    /// <summary>What says most of a CPU in a few seconds.</summary>
    public static IReadOnlyList<CalibrationCase> QuickCpu { get; } =
    [
        new("nano", 2, 256, 128, 128),
        new("micro", 2, 256, 256, 128, 2),
        new("micro", 2, 256, 256, 512) { Optimizer = Optimizer.AdamW8Bit },
    ];

    /// <summary>
    /// What is measured on a GPU: one layer of each model at the chunks that plans choose, short and long sequences, and one full
    /// vocabulary.
    /// </summary>
    public static IReadOnlyList<CalibrationCase> Gpu { get; } =
    [
        new("1b", 1, 8192, 512, 4096),
        new("1b", 1, 8192, 4096, 4096),
        new("1b", 1, 8192, 16384, 16384),
        new("8b", 1, 8192, 2048, 2048),
        new("8b", 1, 8192, 2048, 4096),
        new("8b", 1, 8192, 8192, 8192),
        new("8b", 1, 128256, 8192, 8192),
        new("8b", 1, 8192, 4096, 16384),
        new("8b", 1, 8192, 32768, 8192, 4),
        new("8b", 1, 8192, 131072, 16384, 8),
        new("32b", 1, 8192, 4096, 4096),
        new("32b", 1, 8192, 8192, 16384),
        new("70b", 1, 8192, 4096, 4096),
        new("70b", 1, 8192, 8192, 8192),
    ];

    /// <summary>What attention by cuDNN is measured at: long rows, heads of 128, a row of one chunk and of several.</summary>
    public static IReadOnlyList<CalibrationCase> Cudnn { get; } =
    [
        new("8b", 1, 8192, 8192, 8192) { Attention = AttentionProvider.Cudnn },
        new("8b", 1, 8192, 32768, 8192, 4) { Attention = AttentionProvider.Cudnn },
    ];

    /// <summary>Enough to prove that the code runs on the emulated driver, whose times say nothing.</summary>
    public static IReadOnlyList<CalibrationCase> Emulated { get; } = [new("nano", 1, 256, 32, 32), new("nano", 1, 256, 64, 32, 2)];

    /// <summary>The same of attention by cuDNN.</summary>
    public static IReadOnlyList<CalibrationCase> EmulatedCudnn { get; } =
        [new("smollm2-135m", 1, 256, 64, 64) { Attention = AttentionProvider.Cudnn }];

    /// <summary>How weights are updated: of one model all cases but one measure the same update.</summary>
    public Optimizer Optimizer { get; init; } = Optimizer.AdamW;

    /// <summary>Who computes attention.</summary>
    public AttentionProvider Attention { get; init; }

    /// <summary>Rows of a step: what a round holds.</summary>
    public int Rows => Math.Max(1, (int)((long)ChunkTokens * ChunksPerRound / Seqlen));

    /// <summary>The model cut down.</summary>
    public ModelConfig Cut(ModelConfig model) =>
        model with
        {
            Name = $"{model.Name}-{Layers}",
            LayerCount = Layers,
            VocabSize = Math.Min(Vocabulary, model.VocabSize),
        };

    /// <summary>"8b at 2048 tokens in chunks of 4096".</summary>
    public override string ToString() =>
        $"{Model} at {Seqlen} tokens in chunks of {ChunkTokens}" + (Optimizer == Optimizer.AdamW ? "" : $", {Optimizer}");
}
