using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>The algorithm of a product that was the fastest of those that were tried.</summary>
/// <param name="Algorithm">64 bytes of one device and one version of the library, as hexadecimal digits.</param>
/// <param name="Seconds">What it took.</param>
/// <param name="FirstSeconds">What the library's first proposal took.</param>
/// <param name="Candidates">How many were tried.</param>
public sealed record ProductChoice(string Algorithm, double Seconds, double FirstSeconds, int Candidates)
{
    /// <summary>As the library takes it.</summary>
    /// <exception cref="FormatException">These are no 64 bytes.</exception>
    internal MatmulAlgorithm Value => Convert.FromHexString(Algorithm) is { } bytes && bytes.Length == Unsafe.SizeOf<MatmulAlgorithm>()
        ? MemoryMarshal.Read<MatmulAlgorithm>(bytes)
        : throw new FormatException($"an algorithm is {Unsafe.SizeOf<MatmulAlgorithm>()} bytes");

    /// <summary>The digits of an algorithm.</summary>
    internal static string TextOf(MatmulAlgorithm algorithm) =>
        Convert.ToHexStringLower(MemoryMarshal.AsBytes(new ReadOnlySpan<MatmulAlgorithm>(in algorithm)));
}

/// <summary>
/// The algorithms of matrix products on one GPU with one version of cuBLASLt, measured once and stored: a run looks them up, so that its
/// bits do not depend on what it would have measured. A product that is not among them has the library's first proposal.
/// </summary>
public sealed record ProductChoices
{
    private static readonly JsonSerializerOptions s_plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>As the driver calls it: "NVIDIA H200".</summary>
    public required string Gpu { get; init; }

    /// <summary>Of cuBLASLt.</summary>
    public required Version Library { get; init; }

    /// <summary>What messages call them: the path of their file.</summary>
    public string Source { get; init; } = "";

    /// <summary>By the product: <c>bf16 1024x4096 by bf16 14336x4096' to bf16</c>.</summary>
    public ImmutableSortedDictionary<string, ProductChoice> All { get; init; } =
        ImmutableSortedDictionary.Create<string, ProductChoice>(StringComparer.Ordinal);

    /// <summary>The name of their file: "nvidia-h200.cublaslt-12.4.5.json".</summary>
    public string FileName =>
        $"{string.Concat(Gpu.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-'))}.cublaslt-{Library}.json";

    /// <summary>The choice for a product; null: none is stored.</summary>
    internal ProductChoice? this[ProductShape product] => All.GetValueOrDefault(product.ToString());

    /// <summary>
    /// What decides which algorithms the products of a schedule have: "NVIDIA H200, cuBLASLt 12.4.5", and behind it, where choices for some
    /// of them are stored, a hash of these.
    /// </summary>
    public string IdentityFor(Schedule schedule, Workload workload)
    {
        var text = new StringBuilder();
        var products = Products.Of(schedule, workload).Select(p => ProductShape.Of(p).ToString()).Distinct();
        foreach (string product in products.Order(StringComparer.Ordinal))
        {
            if (All.TryGetValue(product, out var choice))
            {
                _ = text.Append(product).Append('\n').Append(choice.Algorithm).Append('\n');
            }
        }

        string stored = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..8];
        return $"{Gpu}, cuBLASLt {Library}{(text.Length > 0 ? $", choices {stored}" : "")}";
    }

    /// <summary>The text of their file; a product a line.</summary>
    public string Write()
    {
        string Text(string value) => JsonSerializer.Serialize(value, s_plain);
        var rows = All.Select(e =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"    {Text(e.Key)}: {{\"algorithm\": \"{e.Value.Algorithm}\", \"seconds\": {e.Value.Seconds:0.####e-0}, "
                    + $"\"first_seconds\": {e.Value.FirstSeconds:0.####e-0}, \"candidates\": {e.Value.Candidates}}}"
            )
        );
        return $"{{\n  \"gpu\": {Text(Gpu)},\n  \"cublaslt\": \"{Library}\",\n  \"products\": {{\n{string.Join(",\n", rows)}\n  }}\n}}\n";
    }

    /// <summary>From the text of a file.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static ProductChoices Parse(string json, string source)
    {
        try
        {
            var root = JsonElement.Parse(json);
            return new ProductChoices
            {
                Gpu = root.GetProperty("gpu").GetString()!,
                Library = Version.Parse(root.GetProperty("cublaslt").GetString()!),
                Source = source,
                All = root.GetProperty("products").EnumerateObject().ToImmutableSortedDictionary(
                    p => p.Name,
                    p => Choice(p.Value),
                    StringComparer.Ordinal
                ),
            };
        }
        catch (Exception e)
            when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new UserErrorException(
                $"{source} holds no choices of products ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); measure them anew with "
                    + "`dataflow tune`, or take the file away"
            );
        }
    }

    private static ProductChoice Choice(JsonElement row)
    {
        var read = new ProductChoice(
            row.GetProperty("algorithm").GetString()!,
            row.GetProperty("seconds").GetDouble(),
            row.GetProperty("first_seconds").GetDouble(),
            row.GetProperty("candidates").GetInt32()
        );
        _ = read.Value;
        return read;
    }
}
