using System.CommandLine;
using System.Globalization;
using Dataflow.Generation;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>How texts are continued: how tokens are chosen, and where continuations end.</summary>
internal sealed class GenerationFlags
{
    private const int MostTokens = 1 << 24;

    private readonly Option<int?> maxTokens;
    private readonly Option<float> temperature;
    private readonly Option<int?> topK = Declare.Option(
        "--top-k", "N", "choose among so many of the likeliest tokens [default: all]", Values.OptionalCount(1, int.MaxValue));
    private readonly Option<float> topP = Option(
        "--top-p", "P", "choose among the likeliest tokens whose probabilities add up to P [default: 1]", 1, t => Share(t, least: false));
    private readonly Option<float> minP = Option(
        "--min-p", "P", "choose among tokens at least P times as likely as the likeliest [default: 0]", 0, t => Share(t, least: true));
    private readonly Option<float> penalty = Option(
        "--repetition-penalty", "X", "above 1: make tokens that are there already less likely [default: 1]", 1,
        Values.Real(0, 1000, false));
    private readonly Option<ulong> seed = Declare.Option(
        "--seed", "SEED", "of the choices: the same seed gives the same text [default: 0]", Values.Seed);
    private readonly Option<string[]?> stop = Declare.Several(
        "--stop", "TEXT", "end a continuation at this text, which is not part of it; may be given again", t => t);
    private readonly Option<bool> ignoreEnd = Declare.Flag("--ignore-end", "go on behind the token that ends a text");
    private readonly Option<string?> template = Declare.Option<string?>(
        "--template", "NAME", "which of the model's named chat templates [default: default]", t => t);

    /// <param name="tokensElse">Tokens of a continuation where it is not said; null: as many as there is room for.</param>
    /// <param name="temperatureElse">The temperature where it is not said.</param>
    public GenerationFlags(int? tokensElse, float temperatureElse)
    {
        maxTokens = Declare.Option(
            "--max-tokens", "N",
            "most tokens of a continuation [default: "
                + $"{tokensElse?.ToString(CultureInfo.InvariantCulture) ?? "as many as --seqlen leaves"}]",
            Values.OptionalCount(1, MostTokens));
        TokensElse = tokensElse;
        temperature = Option(
            "--temperature", "T",
            "0: always the likeliest token; above: choose by chance, below 1 more likely ones [default: "
                + $"{temperatureElse.ToString(CultureInfo.InvariantCulture)}]",
            temperatureElse, Values.Real(0, 1000));
    }

    private int? TokensElse { get; }

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { maxTokens, temperature, topK, topP, minP, penalty, seed, stop, ignoreEnd, template })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Tokens of a continuation; null: as many as there is room for.</summary>
    public int? MaxTokens(ParseResult parsed) => parsed.GetValue(maxTokens) ?? TokensElse;

    /// <summary>The name of a chat template, if one was given.</summary>
    public string? Template(ParseResult parsed) => parsed.GetValue(template);

    /// <summary>What was given.</summary>
    /// <exception cref="UserErrorException">An option cannot act.</exception>
    public GenerationOptions Bind(ParseResult parsed, PlanOptions plan, int batch)
    {
        if (parsed.GetValue(temperature) == 0
            && new Option[] { topK, topP, minP, seed }.FirstOrDefault(o => parsed.WasGiven(o)) is { } idle)
        {
            throw new UserErrorException(
                $"{idle.Name} is of choices by chance, and at temperature 0 the likeliest token is taken; give --temperature, for example "
                    + $"0.7, or leave {idle.Name} out");
        }

        return Given(parsed, plan, batch);
    }

    private GenerationOptions Given(ParseResult parsed, PlanOptions plan, int batch) => new()
    {
        Plan = plan,
        Batch = batch,
        MaxTokens = MaxTokens(parsed),
        Stop = parsed.GetValue(stop) ?? [],
        IgnoreEnd = parsed.GetValue(ignoreEnd),
        Template = parsed.GetValue(template),
        Sampling = new SamplingSettings
        {
            Temperature = parsed.GetValue(temperature),
            TopK = parsed.GetValue(topK),
            TopP = parsed.GetValue(topP),
            MinP = parsed.GetValue(minP),
            RepetitionPenalty = parsed.GetValue(penalty),
            Seed = parsed.GetValue(seed),
        },
    };

    private static Option<float> Option(string name, string placeholder, string description, float otherwise, Func<string, float> parse)
    {
        var option = Declare.Option(name, placeholder, description, parse);
        option.DefaultValueFactory = _ => otherwise;
        return option;
    }

    private static float Share(string text, bool least) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float share)
        && share <= 1
        && (least ? share >= 0 : share > 0)
            ? share : throw new UserErrorException($"'{text}' is no share; give a number {(least ? "from 0" : "above 0")} to 1");
}
