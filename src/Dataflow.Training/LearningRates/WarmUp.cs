using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>How long a learning rate rises: "100" steps, "0.03" of all steps, or "2Mtok", the steps that take so many tokens.</summary>
/// <param name="Value">Steps from 1 on, a share below 1; with <paramref name="InTokens"/> tokens.</param>
/// <param name="InTokens">What the value is.</param>
public readonly record struct WarmUp(double Value, bool InTokens = false)
{
    private const string TokenEnding = "tok";

    /// <summary>Reads it.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static WarmUp Parse(string text)
    {
        string number = text.Trim();
        bool tokens = number.EndsWith(TokenEnding, StringComparison.OrdinalIgnoreCase);
        double unit = 1;
        if (tokens)
        {
            number = number[..^TokenEnding.Length];
            unit = number is [.., 'k' or 'K'] ? 1e3 : number is [.., 'm' or 'M'] ? 1e6 : number is [.., 'g' or 'G' or 'b' or 'B'] ? 1e9 : 1;
            number = unit == 1 ? number : number[..^1];
        }

        return double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && value * unit is >= 0 and <= 1e15
            ? new WarmUp(tokens ? Math.Ceiling(value * unit) : value, tokens)
            : throw new UserErrorException($"'{text}' is no warm-up; write 100 (steps), 0.03 (of all steps) or 2Mtok (two million tokens)");
    }

    /// <summary>Whole steps. A share of all is rounded up, what is left of a number above 1 is cut off, as transformers has it.</summary>
    /// <param name="steps">Of the run.</param>
    /// <param name="tokensOfStep">Tokens that a step takes.</param>
    public long StepsOf(long steps, long tokensOfStep) =>
        InTokens ? (long)Math.Ceiling(Value / tokensOfStep)
        : Value < 1 ? (long)Math.Ceiling(steps * Value)
        : (long)Value;

    /// <summary>As it is read.</summary>
    public override string ToString() => Value.ToString("R", CultureInfo.InvariantCulture) + (InTokens ? TokenEnding : "");
}
