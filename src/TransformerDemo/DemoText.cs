using Dataflow.Cli;
using Dataflow.Model;

namespace TransformerDemo;

/// <summary>The text that `make text` fetches, for runs that name no data.</summary>
internal static class DemoText
{
    /// <summary>The settings, with the checkout's text where they name no data and the model brings none.</summary>
    /// <exception cref="UserErrorException">The text was not fetched yet.</exception>
    public static TrainingSettings Supply(TrainingSettings settings)
    {
        bool given = settings.TextPath is not null || settings.TokensPath is not null;
        if (given || File.Exists(Path.Combine(settings.Plan.ModelPath, "tokens.bin")))
        {
            return settings;
        }

        using var model = ModelSource.Open(settings.Plan.ModelPath); // a model that cannot be used matters more than a missing text
        string text = Checkout.Find("data", "kjv.txt")
            ?? throw new UserErrorException("there is nothing to train on; run `make text` to fetch a text, or give one with --data");
        if (!settings.Json)
        {
            Console.WriteLine($"No data was named: training on {text}");
        }

        return settings with { TextPath = text };
    }
}
