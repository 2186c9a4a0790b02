using System.Text.Json;

namespace Dataflow.Model;

/// <summary>What becomes of a key of a Hugging Face config.json.</summary>
internal abstract record KeyUse
{
    private KeyUse()
    {
    }

    /// <summary>It is read.</summary>
    public sealed record Read : KeyUse;

    /// <summary>It has no influence on what is computed.</summary>
    /// <param name="Reason">Why, for whoever reads the table.</param>
    public sealed record Ignored(string Reason) : KeyUse;

    /// <summary>It has no influence on this family; whatever it says, a person may have expected one, so it is told once.</summary>
    /// <param name="Of">What it is for.</param>
    public sealed record OfOthers(string Of) : KeyUse;

    /// <summary>Values other than these are refused.</summary>
    /// <param name="Reason">"and ..." after the key and its value.</param>
    /// <param name="Neutral">JSON texts of the values that are computed; numbers are compared as such.</param>
    public record RefusedUnless(string Reason, params string[] Neutral) : KeyUse
    {
        /// <summary>Whether the value is one of them.</summary>
        public virtual bool Allows(JsonElement value) => Neutral.Any(n => value.ValueKind == JsonValueKind.Number
            ? double.TryParse(n, out double number) && value.TryGetDouble(out double found) && found == number
            : value.GetRawText() == n);
    }

    /// <summary>How weights are quantised: refused unless in a way that is read, which is told once.</summary>
    /// <param name="Reason">"and ..." after the key and its value.</param>
    /// <param name="OfExperts">The family's experts may be stored in MXFP4.</param>
    public sealed record Quantisation(string Reason, bool OfExperts = false) : RefusedUnless(Reason)
    {
        /// <inheritdoc/>
        public override bool Allows(JsonElement value) => Fp8Weights.IsFp8(value) || (OfExperts && IsMxfp4(value));

        /// <summary>The sentence for whoever uses such a model.</summary>
        public static string Note(JsonElement value) => IsMxfp4(value)
            ? "the experts are stored in MXFP4 and read as the numbers that they stand for; training and export are without quantisation"
            : Fp8Weights.Note;

        private static bool IsMxfp4(JsonElement value) =>
            value.ValueKind == JsonValueKind.Object
            && value.TryGetProperty("quant_method", out var method)
            && method.ValueKind == JsonValueKind.String
            && method.ValueEquals("mxfp4");
    }

    /// <summary>A probability of dropout: models load and plan whatever it is, and training, which is without it, says so once.</summary>
    public sealed record Dropout : KeyUse;
}
