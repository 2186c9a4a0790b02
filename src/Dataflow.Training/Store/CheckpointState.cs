using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Of one file of a checkpoint.</summary>
/// <param name="Length">Bytes.</param>
/// <param name="Checksum"><see cref="FileChecksum.Text"/>.</param>
internal sealed record StoredFile(long Length, string Checksum);

/// <summary>
/// What state.json says. Its first member is the checksum of the text itself, in which that member's digits are zeros, so that no bit of it
/// can change unnoticed; the text names its own folder, so that a copy under another name is no checkpoint of the run.
/// </summary>
internal sealed record CheckpointState
{
    /// <summary>Of checkpoints that do not say: they are of a program that had no other.</summary>
    private const string FirstOptimizer = "adamw";

    public required string Checksum { get; init; }

    public required string Format { get; init; }

    public required string Folder { get; init; }

    public required int Step { get; init; }

    public required ulong Seed { get; init; }

    public required string Recipe { get; init; }

    public required Geometry Geometry { get; init; }

    public required double? Score { get; init; }

    public required IReadOnlyList<string> NotFinite { get; init; }

    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    public required IReadOnlyDictionary<string, StoredFile> Files { get; init; }

    public string Optimizer { get; init; } = FirstOptimizer;

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public WeightAverage? Average { get; init; }

    /// <summary>Of checkpoints that do not say: none was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Skipped { get; init; }

    /// <summary>The member <see cref="Format"/> of what this program writes.</summary>
    public const string CurrentFormat = "dataflow checkpoint 2";

    private const int Block = 4096;
    private const int MostNotFinite = 20;
    private static ReadOnlySpan<byte> Head => "{\n  \"Checksum\": \""u8;

    private static ReadOnlySpan<byte> EarlyHead => "{\n  \"Step\": "u8;

    private static readonly string NoChecksum = new('0', FileChecksum.TextLength);
    private static readonly Bytes Largest = new(1 << 20);

    // What follows from a geometry is not part of the file.
    private static readonly JsonSerializerOptions Json = new()
    {
        IgnoreReadOnlyProperties = true,
        WriteIndented = true,
        NewLine = "\n",
        AllowDuplicateProperties = false,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    /// <summary>Where the run was.</summary>
    [JsonIgnore]
    public TrainingProgress Progress => new(Step, Seed, Recipe, Geometry) { Settings = Settings, Optimizer = Optimizer, Skipped = Skipped };

    /// <summary>What is to be written with a save.</summary>
    public static CheckpointState Of(
        CheckpointName name, TrainingProgress progress, double? score, IReadOnlyList<string> notFinite,
        IReadOnlyDictionary<string, StoredFile> files) =>
        new()
        {
            Checksum = NoChecksum,
            Format = CurrentFormat,
            Folder = name.ToString(),
            Step = progress.Step,
            Seed = progress.Seed,
            Recipe = progress.Recipe,
            Geometry = progress.Geometry,
            Score = Finite(score),
            NotFinite = [.. notFinite.Take(MostNotFinite)],
            Settings = progress.Settings,
            Files = files,
            Optimizer = progress.Optimizer,
            Skipped = progress.Skipped,
        };

    /// <summary>Whether a save would say the same.</summary>
    public bool IsOf(TrainingProgress progress, double? score) =>
        (Step, Skipped, Seed, Recipe, Optimizer, Geometry)
            == (progress.Step, progress.Skipped, progress.Seed, progress.Recipe, progress.Optimizer, progress.Geometry)
        && Score.Equals(Finite(score)) && Settings.SequenceEqual(progress.Settings);

    private static double? Finite(double? score) => score is { } s && double.IsFinite(s) ? s : null;

    /// <summary>The file: padded to whole blocks, so that its length does not depend on the numbers in it.</summary>
    public byte[] Write()
    {
        string text = JsonSerializer.Serialize(this with { Checksum = NoChecksum }, Json);
        int length = Encoding.UTF8.GetByteCount(text) + 1;
        byte[] bytes = Encoding.UTF8.GetBytes(text + new string(' ', ((length + Block - 1) / Block * Block) - length) + "\n");
        Encoding.ASCII.GetBytes(FileChecksum.Of(bytes)).CopyTo(bytes, Head.Length);
        return bytes;
    }

    /// <summary>Reads and checks the file in a folder.</summary>
    /// <exception cref="DamagedCheckpointException">It is not there, not of this format, or not as it was written.</exception>
    public static CheckpointState Read(string folder)
    {
        string path = Path.Combine(folder, CheckpointFiles.State);
        byte[] text;
        try
        {
            text = ReadOnlyFile.ReadBytes(path, Largest);
        }
        catch (UserErrorException e)
        {
            throw new DamagedCheckpointException(e.Message);
        }

        if (!text.AsSpan().StartsWith(Head) || text.Length < Head.Length + FileChecksum.TextLength)
        {
            throw new DamagedCheckpointException(text.AsSpan().StartsWith(EarlyHead)
                ? $"{folder} was saved by an early version of this program, without checksums: "
                    + "it can be used as a model, but its run cannot be gone on with"
                : $"{path} is damaged");
        }

        var digits = text.AsSpan(Head.Length, FileChecksum.TextLength);
        string checksum = Encoding.ASCII.GetString(digits);
        digits.Fill((byte)'0');
        return FileChecksum.Of(text) == checksum
            ? Parse(text, path)
            : throw new DamagedCheckpointException($"{path} is damaged: its checksum does not agree");
    }

    /// <summary>What is in a text whose checksum agrees: it may still be of a later version, or edited and signed.</summary>
    private static CheckpointState Parse(byte[] text, string path)
    {
        try
        {
            var state = JsonSerializer.Deserialize<CheckpointState>(text, Json) ?? throw new DamagedCheckpointException($"{path} is empty");
            return Fault(state) is { } fault ? throw new DamagedCheckpointException($"{path} cannot be used: {fault}") : state;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NotSupportedException)
        {
            throw new DamagedCheckpointException($"{path} cannot be used: {e.Message.Split('\n')[0]}");
        }
    }

    private static string? Fault(CheckpointState state)
    {
        var recipes = Model.Recipe.All.Select(r => r.Name);
        return state.Format != CurrentFormat ? $"its format is not '{CurrentFormat}' but that of another version of this program"
            : HasNulls(state) ? "a value in it is null"
            : state.Step < 1 ? $"its step is {state.Step}"
            : state.Skipped < 0 || state.Skipped > state.Step ? $"of its {state.Step} steps {state.Skipped} were skipped"
            : !recipes.Contains(state.Recipe) ? $"its recipe is none of {string.Join(", ", recipes)}"
            : Model.Optimizer.Named(state.Optimizer) is null ? $"its optimizer is none of {string.Join(", ", Model.Optimizer.All)}"
            : Model.Optimizer.Named(state.Optimizer)!.TrainsAverage != state.Average.HasValue
                ? state.Average is null
                    ? $"it does not say how far the average of {state.Optimizer} has come"
                    : $"it has an average, and {state.Optimizer} trains none"
            : state.Average?.Fault is { } average ? average
            : GeometryLimits.Fault(state.Geometry);
    }

    // The reader of JSON does not look into collections.
    private static bool HasNulls(CheckpointState state) =>
        state.NotFinite.Any(t => t is null) || state.Settings.Values.Any(v => v is null) || state.Files.Values.Any(f => f is null);
}
