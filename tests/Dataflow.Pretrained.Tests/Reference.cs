using System.Runtime.InteropServices;
using System.Text.Json;
using Dataflow.Training;

namespace Dataflow.Pretrained.Tests;

/// <summary>A text and the loss of each target, by the length of the segments that it was cut into.</summary>
internal sealed record ReferenceText(string Name, int[] Ids, IReadOnlyDictionary<int, float[]> Losses);

/// <summary>A prompt and what follows it, greedy; gaps between the best and the second logit at each step.</summary>
internal sealed record ReferenceContinuation(int[] Prompt, int[] Ids, double[] Gaps);

/// <summary>What a model computes, by another program: transformers in float32 or float64, or this engine at its ease.</summary>
internal sealed class Reference
{
    /// <summary>Texts with their losses.</summary>
    public required IReadOnlyList<ReferenceText> Texts { get; init; }

    /// <summary>Ids of a prompt, and logits [vocabulary] of tokens of it.</summary>
    public required IReadOnlyList<(int[] Ids, IReadOnlyDictionary<int, float[]> Logits)> Logits { get; init; }

    /// <summary>Continuations of at most 64 tokens.</summary>
    public required IReadOnlyList<ReferenceContinuation> Continuations { get; init; }

    /// <summary>Ids of a segment and one more, the gradient of its mean loss by tensor, and how far each may be off.</summary>
    public required (int[] Ids, IReadOnlyDictionary<string, (float[] Values, double Bound)> Tensors) Gradients { get; init; }

    /// <summary>Ids of four segments of 512 and one more each, and the loss before each of AdamW's steps.</summary>
    public required (int[][] Rows, double[] Losses) AdamW { get; init; }

    /// <summary>Texts with their ids; messages with the ids of their rendering.</summary>
    public IReadOnlyList<(string Text, int[] Ids)> Tokenized { get; init; } = [];

    /// <summary>Conversations up to where the assistant speaks, with their ids.</summary>
    public IReadOnlyList<(ChatMessage[] Messages, int[] Ids)> Rendered { get; init; } = [];

    /// <summary>Reads the files of a folder that another program made.</summary>
    public static Reference Read(string folder)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        var all = document.RootElement;
        var texts = all.GetProperty("perplexity").EnumerateObject().Select(t => Text(folder, t.Name)).ToList();
        var first = texts[0].Ids;
        using var logits = SafetensorsFile.Open(Path.Combine(folder, "logits.safetensors"));
        var stored = logits.Tensors.ToDictionary(t => t.Name, Values);
        var last = all.GetProperty("logits").GetProperty("last").EnumerateArray()
            .Select((p, i) => (Ids: Ints(p, "ids"), Values: stored[$"last_{i}"]))
            .Select(p => (p.Ids, (IReadOnlyDictionary<int, float[]>)new Dictionary<int, float[]> { [p.Ids.Length - 1] = p.Values }));
        float[] rows = stored["full_rows"];
        int[] full = Ints(all.GetProperty("logits").GetProperty("full"), "ids");
        int width = stored["last_0"].Length;
        var ofFull = Enumerable.Range(0, rows.Length / width).ToDictionary(r => (4 * r) + 3, r => rows[(r * width)..((r + 1) * width)]);
        var gradients = all.GetProperty("gradients");
        int segment = gradients.GetProperty("segment").GetInt32() * 512;
        using var file = SafetensorsFile.Open(Path.Combine(folder, "gradients.safetensors"));
        var bounds = gradients.GetProperty("pytorch_float32").GetProperty("relative_l2");
        var adamw = all.GetProperty("adamw").GetProperty("runs").EnumerateArray()
            .First(r => r.GetProperty("precision").GetString() == "float64");
        var greedy = all.GetProperty("greedy");
        return new Reference
        {
            Texts = texts,
            Logits = [.. last, (full, ofFull)],
            Continuations =
            [
                .. greedy.GetProperty("plain").EnumerateArray().Concat(greedy.GetProperty("chat").EnumerateArray())
                    .Select(c => new ReferenceContinuation(Ints(c, "prompt_ids"), Ints(c, "ids"), Doubles(c, "gaps"))),
            ],
            Gradients = (first[segment..(segment + 513)], file.Tensors.ToDictionary(
                t => t.Name, t => (Values(t), 3 * bounds.GetProperty(t.Name).GetDouble()))),
            AdamW = ([.. Enumerable.Range(0, 4).Select(i => first[(i * 512)..((i * 512) + 513)])], Doubles(adamw, "losses")),
            Tokenized =
            [
                .. all.GetProperty("tokenizer").GetProperty("cases").EnumerateArray()
                    .Select(c => (c.GetProperty("text").GetString()!, Ints(c, "ids"))),
            ],
            Rendered =
            [
                .. greedy.GetProperty("chat").EnumerateArray().Select(c => (
                    c.GetProperty("messages").EnumerateArray()
                        .Select(m => new ChatMessage(m.GetProperty("role").GetString()!, m.GetProperty("content").GetString()!)).ToArray(),
                    Ints(c, "prompt_ids"))),
            ],
        };
    }

    private static ReferenceText Text(string folder, string name)
    {
        var losses = Directory.GetFiles(folder, $"{name}.losses_*.bin").ToDictionary(
            f => int.Parse(Path.GetFileNameWithoutExtension(f).Split('_')[^1], System.Globalization.CultureInfo.InvariantCulture),
            f => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(f)).ToArray());
        int[] ids = MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(Path.Combine(folder, $"{name}.ids.bin"))).ToArray();
        return new ReferenceText(name, ids, losses);
    }

    private static float[] Values(StoredTensor tensor)
    {
        float[] values = new float[tensor.Count];
        tensor.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), Model.DType.Float32);
        return values;
    }

    private static int[] Ints(JsonElement of, string name) => [.. of.GetProperty(name).EnumerateArray().Select(i => i.GetInt32())];

    private static double[] Doubles(JsonElement of, string name) => [.. of.GetProperty(name).EnumerateArray().Select(i => i.GetDouble())];
}
