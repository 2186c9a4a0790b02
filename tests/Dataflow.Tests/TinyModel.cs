using Dataflow.Text.Tokenizers;

namespace Dataflow.Tests;

/// <summary>A small model's folder with weights, a tokenizer and a chat template.</summary>
internal static class TinyModel
{
    /// <summary>Makes it in a folder of a run; two steps of training, so that it is not as likely to say one thing as another.</summary>
    public static string Make(TinyRun run)
    {
        string config = run.PathOf("config.json"), model = run.PathOf("model");
        var options = run.Options(steps: 2);
        string nano = File.ReadAllText(ModelSource.Locate("nano")!);
        File.WriteAllText(config, nano.Replace("\"vocab_size\": 256", "\"vocab_size\": 260", StringComparison.Ordinal));
        Directory.CreateDirectory(run.PathOf("tokenizer"));
        string tokenizer = Path.Combine(run.PathOf("tokenizer"), "tokenizer.json");
        var learnt = new BpeTrainingOptions { VocabularySize = 260, AllBytes = true, SpecialTokens = [] };
        File.WriteAllText(tokenizer, ByteLevelTraining.Train(["0123456789"], learnt, pattern: null));
        options = options with
        {
            Plan = options.Plan with { Model = config },
            Corpus = new CorpusOptions { Tokenizer = run.PathOf("tokenizer"), End = "none" },
            Export = model,
        };
        TinyRun.Losses(options);
        File.Copy(tokenizer, Path.Combine(model, "tokenizer.json"), overwrite: true);
        File.WriteAllText(
            Path.Combine(model, "chat_template.jinja"),
            "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}");
        return model;
    }
}
