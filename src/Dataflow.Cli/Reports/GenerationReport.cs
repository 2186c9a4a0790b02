using System.Globalization;

namespace Dataflow.Cli;

/// <summary>What is said of a generation besides its texts, on standard error.</summary>
internal static class GenerationReport
{
    /// <summary>What happens while a model is opened.</summary>
    public static void Tell(RunEvent happened)
    {
        if (happened is RunEvent.Noted noted)
        {
            Notices.Tell(noted.Notes);
        }
        else
        {
            Messages.Tell(happened);
        }
    }

    /// <summary>How fast it was, and how fast the simulator said it would be.</summary>
    /// <param name="generator">What ran.</param>
    /// <param name="promptTokens">Of all prompts.</param>
    /// <param name="tokens">That came.</param>
    /// <param name="first">When every prompt had its first token.</param>
    /// <param name="all">When all had come.</param>
    public static void Speed(TextGenerator generator, long promptTokens, int tokens, TimeSpan first, TimeSpan all)
    {
        if (tokens == 0)
        {
            return;
        }

        double rest = (all - first).TotalSeconds;
        string rate = tokens > 1 && rest > 0 ? $", then {Number(tokens / rest)} tokens a second" : "";
        string predicted = generator.Prediction is { } p
            ? $" (predicted: {Number(p.PromptTokensPerSecond)} tokens a second of prompts, {Number(p.TokensPerSecond)} after them)" : "";
        Messages.Tell(string.Create(
            CultureInfo.InvariantCulture,
            $"{generator.Device}: {promptTokens:N0} tokens of prompts and the first of each answer in {first.TotalSeconds:0.00} s{rate}"
                + $"{predicted}"));
    }

    private static string Number(double rate) => rate.ToString(rate < 100 ? "0.0" : "N0", CultureInfo.InvariantCulture);
}
