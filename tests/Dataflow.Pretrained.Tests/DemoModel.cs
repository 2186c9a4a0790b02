using System.Text;

namespace Dataflow.Pretrained.Tests;

/// <summary>What `make train-demo` makes, in a few seconds: a tokenizer and a small model, learnt from a text of made-up words.</summary>
internal static class DemoModel
{
    private const int Length = 64;
    private const int Prompts = 8;
    private const int Vocabulary = 512;

    /// <summary>Makes the folder of a model.</summary>
    public static void Make(string folder)
    {
        string text = folder + ".txt", tokenizer = folder + "-tokenizer";
        File.WriteAllText(text, Text(400));
        Directory.CreateDirectory(tokenizer);
        Run("tokenizer", "train", tokenizer, "--text", text, "--vocab-size", $"{Vocabulary}", "--end", "<|endoftext|>");
        string config = folder + ".json";
        string micro = File.ReadAllText(Repository.File("models", "micro.json"));
        File.WriteAllText(config, micro.Replace("\"vocab_size\": 256", $"\"vocab_size\": {Vocabulary}", StringComparison.Ordinal));
        Run(
            "train", config, "--seqlen", "64", "--data", text, "--documents", "line", "--tokenizer", tokenizer, "--steps", "12",
            "--global-batch", "512", "--lr", "2e-3", "--device", "cpu", "--export", folder);
        foreach (string file in Directory.GetFiles(tokenizer))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }
    }

    /// <summary>Its references.</summary>
    public static Reference Measure(Engine engine)
    {
        var texts = ModelTexts.Open(engine.Folder);
        int[] ids = texts.Encode(Text(30));
        var (first, rows) = (ids[..Length], Enumerable.Range(0, 4).Select(i => ids[(i * Length)..((i * Length) + Length + 1)]).ToArray());
        int[][] prompts = [.. Enumerable.Range(0, Prompts).Select(i => ids[(i * 20)..((i * 20) + 1 + (i * 3))])];
        return new Reference
        {
            Texts = [new ReferenceText("demo", ids, new Dictionary<int, float[]> { [Length] = engine.Losses(ids, Length) })],
            Logits = [(first, engine.Logits(first, [0, 7, Length - 1]))],
            Continuations =
            [
                .. prompts.Zip(engine.Continue(prompts, 64)).Select(
                    p => new ReferenceContinuation(p.First, p.Second, [.. Enumerable.Repeat(1.0, p.Second.Length)])),
            ],
            Gradients = (rows[0], engine.Gradients(rows[0]).ToDictionary(t => t.Key, t => (t.Value, 1e-5))),
            AdamW = (rows, engine.AdamW(rows, 4)),
            Tokenized = [("a text", texts.Encode("a text"))],
        };
    }

    /// <summary>Lines of words that a tokenizer can learn.</summary>
    public static string Text(int lines)
    {
        var random = new Random(1);
        string[] words = [.. Enumerable.Range(0, 200).Select(_ => string.Concat(
            Enumerable.Range(0, 1 + random.Next(4)).Select(_ => $"{"bcdfghklmnprst"[random.Next(14)]}{"aeiou"[random.Next(5)]}")))];
        var text = new StringBuilder();
        for (int line = 0; line < lines; line++)
        {
            text.AppendJoin(' ', Enumerable.Range(0, 5 + random.Next(20)).Select(_ => words[Math.Min(random.Next(200), random.Next(200))]));
            text.Append(".\n");
        }

        return text.ToString();
    }

    private static void Run(params string[] arguments)
    {
        var start = new System.Diagnostics.ProcessStartInfo(Repository.File("bin", "dataflow"), arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = System.Diagnostics.Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string said = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"dataflow {string.Join(' ', arguments)}: {said}");
    }
}
