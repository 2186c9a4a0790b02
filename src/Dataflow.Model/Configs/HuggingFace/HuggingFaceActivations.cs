namespace Dataflow.Model;

/// <summary>The words of configs for activations.</summary>
internal static class HuggingFaceActivations
{
    private static readonly Dictionary<string, Activation> s_words = new()
    {
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["gelu"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_fast"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
        ["relu"] = Activation.Relu,
        ["relu2"] = Activation.SquaredRelu,
    };

    /// <summary>What a config's key says; a word that is not known is a fault of the fields.</summary>
    public static Activation Read(JsonFields fields, ModelFamily family)
    {
        if (fields.Text(family.ActivationKey) is not { } word)
        {
            return family.Activation;
        }

        if (!s_words.TryGetValue(word, out var activation))
        {
            fields.Faults.Add(
                $"{family.ActivationKey} is {JsonFields.QuoteKey(word)}, and {string.Join(", ", s_words.Keys)} are supported");
        }

        return activation;
    }
}
