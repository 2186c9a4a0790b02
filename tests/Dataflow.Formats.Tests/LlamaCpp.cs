using LLama;
using LLama.Common;
using LLama.Native;

namespace Dataflow.Formats.Tests;

/// <summary>A file as llama.cpp reads it, with keys and values in fp32.</summary>
internal sealed class LlamaCpp : IDisposable
{
    private readonly LLamaWeights weights;
    private readonly ModelParams parameters;

    static LlamaCpp()
    {
        // The libraries for wider registers repack weights in ways that some virtual machines do not bear.
        NativeLibraryConfig.All.WithAvx(AvxLevel.Avx2).WithAutoFallback().WithLogCallback((level, message) =>
        {
            if (level is LLamaLogLevel.Error or LLamaLogLevel.Warning)
            {
                Log += message;
            }
        });
    }

    /// <summary>Loads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tokens">The most tokens of a text.</param>
    public LlamaCpp(string path, int tokens)
    {
        Log = "";
        parameters = new ModelParams(path)
        {
            ContextSize = (uint)tokens,
            BatchSize = (uint)tokens,
            UBatchSize = (uint)tokens,
            GpuLayerCount = 0,
            Threads = 2,
            BatchThreads = 2,
            TypeK = GGMLType.GGML_TYPE_F32,
            TypeV = GGMLType.GGML_TYPE_F32,
            FlashAttention = false,
        };
        try
        {
            weights = LLamaWeights.LoadFromFile(parameters);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"llama.cpp does not load {path}: {Log}", e);
        }
    }

    /// <summary>What it warned of, and its errors.</summary>
    public static string Log { get; private set; } = "";

    /// <summary>The logits of each token of a text.</summary>
    public float[][] Logits(IReadOnlyList<int> tokens)
    {
        using var context = weights.CreateContext(parameters);
        var batch = new LLamaBatch();
        for (int i = 0; i < tokens.Count; i++)
        {
            batch.Add(tokens[i], i, LLamaSeqId.Zero, true);
        }

        var result = context.Decode(batch);
        return result == DecodeResult.Ok
            ? [.. Enumerable.Range(0, tokens.Count).Select(i => context.NativeHandle.GetLogitsIth(i).ToArray())]
            : throw new InvalidOperationException($"llama.cpp does not compute: {result} {Log}");
    }

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="special">Whether the tokens around it are added.</param>
    public int[] Ids(string text, bool special) =>
        [.. weights.Tokenize(text, special, special: true, System.Text.Encoding.UTF8).Select(t => (int)t)];

    /// <inheritdoc/>
    public void Dispose() => weights.Dispose();
}
