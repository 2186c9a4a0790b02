using System.Globalization;
using Dataflow.Formats;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The values of options and arguments: text to value, or a sentence that says what would do.</summary>
public static class Values
{
    private static readonly (string Unit, double Bytes)[] Units =
    [
        ("KIB", 1L << 10), ("MIB", 1L << 20), ("GIB", 1L << 30), ("TIB", 1L << 40),
        ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("BYTES", 1), ("B", 1),
    ];

    /// <summary>"24GiB", "0.5GiB", "24GB" (10^9), "512MiB", "1000B"; a plain number is GiB.</summary>
    public static Bytes Size(string text)
    {
        string number = text.Trim().ToUpperInvariant();
        double unit = 1L << 30;
        foreach (var (name, bytes) in Units)
        {
            if (number.EndsWith(name, StringComparison.Ordinal))
            {
                (number, unit) = (number[..^name.Length], bytes);
                break;
            }
        }

        if (!double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double count) || double.IsNaN(count))
        {
            throw new UserErrorException($"'{text}' is no size; write 24GiB, 512MiB, 24GB, or a plain number of GiB");
        }

        double total = count * unit;
        return total switch
        {
            < 1 => throw new UserErrorException($"'{text}' is no size to work with; give more than 0"),
            > 1L << 50 => throw new UserErrorException($"'{text}' is more than 1 PiB, far beyond any machine; a plain number is GiB"),
            _ => new Bytes((long)Math.Floor(total)),
        };
    }

    /// <summary>What matrices of layers that stay as they are are stored in: bf16, int8, nf4 or nf4-nested.</summary>
    public static DType BaseWeights(string text)
    {
        foreach (var type in DTypes.OfBase)
        {
            if (type.Name() == text)
            {
                return type;
            }
        }

        throw new UserErrorException(
            $"'{text}' is none of what base weights are stored in; give {string.Join(", ", DTypes.OfBase.Select(t => t.Name()))}"
        );
    }

    /// <summary>Tokens of a row.</summary>
    public static int Seqlen(string text) => (int)Tokens(text, 2, GeometryLimits.StepTokens);

    /// <summary>A number of tokens within limits: "4096", "4k" (k = 1,024), "1M" (M = 1,048,576), "1.5k".</summary>
    public static long Tokens(string text, long least, long most)
    {
        string number = text.Trim();
        long unit =
            number.Length == 0
                ? 1
                : number[^1] switch
                {
                    'k' or 'K' => 1L << 10,
                    'm' or 'M' => 1L << 20,
                    _ => 1,
                };
        if (
            !decimal.TryParse(
                unit == 1 ? number : number[..^1],
                NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture,
                out decimal count
            )
            || Math.Abs(count) > decimal.MaxValue / (1 << 20)
            || decimal.Truncate(count * unit) != count * unit
        )
        {
            throw new UserErrorException($"'{text}' is no whole number of tokens; write 4096, 4k (1k = 1,024) or 1M (1M = 1,048,576)");
        }

        return Limited(text, count * unit, least, most);
    }

    /// <summary>Tokens of a row, one or several.</summary>
    public static int[] Seqlens(string text) => [.. text.Split(',').Select(Seqlen)];

    /// <summary>Numbers of steps, from 1.</summary>
    public static int[] Steps(string text) => [.. text.Split(',').Select(t => (int)Whole(t, 1, int.MaxValue))];

    /// <summary>By what a loss of routers counts.</summary>
    public static double RouterWeight(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) && value >= 0
            ? value
            : throw new UserErrorException($"'{text}' will not do; give a number of at least 0, as 0.001");

    /// <summary>A whole number within limits.</summary>
    public static Func<string, int> Count(int least, int most) => text => (int)Whole(text, least, most);

    /// <summary>As <see cref="Count"/>, for an option whose absence means something.</summary>
    public static Func<string, int?> OptionalCount(int least, int most) => text => (int)Whole(text, least, most);

    /// <summary>
    /// A number from <paramref name="least"/> (or above it) up to, and not including, <paramref name="below"/>, once rounded to fp32.
    /// </summary>
    public static Func<string, float> Real(double least, double below, bool leastAllowed = true) => text =>
    {
        bool number = float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value);
        if (!number || value < least || (!leastAllowed && value <= least) || value >= below)
        {
            throw new UserErrorException(string.Create(CultureInfo.InvariantCulture,
                $"'{text}' will not do; give a number {(leastAllowed ? "of at least" : "above")} {least} and below {below}"));
        }

        return value;
    };

    /// <summary>A whole number within limits.</summary>
    public static long Whole(string text, long least, long most)
    {
        if (!decimal.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out decimal value))
        {
            throw new UserErrorException($"'{text}' is no whole number");
        }

        return Limited(text, value, least, most);
    }

    private static long Limited(string text, decimal value, long least, long most) =>
        value < least ? throw new UserErrorException($"{text} is too small; give at least {least}")
        : value > most ? throw new UserErrorException($"{text} is too large; give at most {most}")
        : (long)value;

    /// <summary>A number that random values follow from.</summary>
    public static ulong Seed(string text) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed)
        ? seed
        : throw new UserErrorException($"'{text}' is no seed; give a whole number from 0 to {ulong.MaxValue}");

    /// <summary>A path, not checked.</summary>
    public static string FilePath(string text) =>
        text.Length > 0 ? text : throw new UserErrorException("the path is empty");

    /// <summary>A type of exported matrices, as GGUF files or recipes call it: F32 or fp32, BF16, F16 or fp16, Q8_0, Q4_0.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static GgufType ExportedType(string text) => text.ToUpperInvariant() switch
    {
        "F32" or "FP32" => GgufType.F32,
        "BF16" => GgufType.BF16,
        "F16" or "FP16" => GgufType.F16,
        "Q8_0" => GgufType.Q8_0,
        "Q4_0" => GgufType.Q4_0,
        _ => throw new UserErrorException($"'{text}' is no type of exported numbers; choose F32, BF16, F16, Q8_0 or Q4_0"),
    };

    /// <summary>A type of exported numbers: fp32, bf16 or fp16.</summary>
    /// <exception cref="UserErrorException">It is another word.</exception>
    public static StoredType ExportType(string text) => text.ToLowerInvariant() switch
    {
        "fp32" => StoredType.F32,
        "bf16" => StoredType.BF16,
        "fp16" => StoredType.F16,
        _ => throw new UserErrorException($"'{text}' is no type of exported numbers; choose fp32, bf16 or fp16"),
    };

    /// <summary>What becomes of steps that are not finite: stop or skip.</summary>
    /// <exception cref="UserErrorException">It is another word.</exception>
    public static NonFiniteSteps NonFiniteSteps(string text) => text switch
    {
        "stop" => Training.NonFiniteSteps.Stop,
        "skip" => Training.NonFiniteSteps.Skip,
        _ => throw new UserErrorException($"'{text}' is nothing to do with a step that is not finite; choose stop or skip"),
    };

    /// <summary>The word for it.</summary>
    internal static string NameOf(NonFiniteSteps steps) => steps == Training.NonFiniteSteps.Skip ? "skip" : "stop";

    /// <summary>auto, on or off.</summary>
    /// <exception cref="UserErrorException">It is none of them.</exception>
    public static GraphUse GraphUse(string text) => text switch
    {
        "auto" => Dataflow.GraphUse.Auto,
        "on" => Dataflow.GraphUse.On,
        "off" => Dataflow.GraphUse.Off,
        _ => throw new UserErrorException($"'{text}' says nothing of CUDA graphs; choose auto, on or off"),
    };

    /// <summary>A recipe by its name.</summary>
    public static Recipe? RecipeNamed(string text) =>
        Recipe.All.FirstOrDefault(r => r.Name == text)
        ?? throw new UserErrorException(
            $"'{text}' is no dtype of this build; choose {string.Join(" or ", Recipe.All.Select(r => r.Name))}"
        );

    /// <summary>An optimizer by its name.</summary>
    public static Optimizer? OptimizerNamed(string text) =>
        Optimizer.Named(text)
        ?? throw new UserErrorException($"'{text}' is no optimizer of this build; choose {string.Join(" or ", Optimizer.All)}");
}
