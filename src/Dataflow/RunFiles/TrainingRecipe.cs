using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A machine that a recipe is planned for.</summary>
/// <param name="Hardware">Its profile.</param>
/// <param name="Device">Device memory that the plan may take, as options take it.</param>
/// <param name="Host">Host memory, likewise.</param>
/// <param name="Figures">What is predicted; null: nobody planned it yet.</param>
public sealed record RecipeMachine(string Hardware, string Device, string Host, RecipeFigures? Figures);

/// <summary>What is predicted of a recipe on a machine.</summary>
/// <param name="TokensPerSecond">Tokens a second.</param>
/// <param name="Hours">Of the recipe's tokens.</param>
/// <param name="DeviceGib">Device memory that the plan takes.</param>
/// <param name="HostGib">Host memory that it takes.</param>
public sealed record RecipeFigures(double TokensPerSecond, double Hours, double DeviceGib, double HostGib)
{
    /// <summary>Of a plan, as precise as predictions are.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="machine">Where it would run.</param>
    /// <param name="tokens">That the recipe trains on.</param>
    public static RecipeFigures Of(TrainingPlan plan, HardwareProfile machine, long tokens)
    {
        ArgumentNullException.ThrowIfNull(plan);
        double speed = plan.Workload.Geometry.TokensPerStep / Prediction.For(plan, machine).Seconds;
        double hours = tokens / speed / 3600;
        return new RecipeFigures(Math.Round(speed), Math.Round(hours, hours < 10 ? 2 : 1), Gib(plan.DevicePeak), Gib(plan.HostPeak));
    }

    private static double Gib(Bytes size) => Math.Round(size.Value / (double)(1 << 30), 1);
}

/// <summary>A run file that comes with the program and says what it is for.</summary>
/// <param name="Name">That of its file.</param>
/// <param name="File">Its settings.</param>
public sealed record TrainingRecipe(string Name, RunFile File)
{
    private const string FolderName = "recipes";
    private const string MachinesLine = "  machines:\n";

    /// <summary>What it is, in a few words.</summary>
    public string Title => Text("title");

    /// <summary>What it does, in a sentence or two.</summary>
    public string About => Text("about");

    /// <summary>A model of the program's own that plans are made for where weights were not fetched; null: the recipe's.</summary>
    public string? Planned => (Block["planned"] as JsonValue)?.GetValue<string>();

    /// <summary>Settings that whoever runs it has to give, and what they are to be.</summary>
    public IReadOnlyDictionary<string, string> Needs =>
        (Block["needs"] as JsonObject)?.ToDictionary(n => n.Key, n => $"{n.Value}") ?? [];

    /// <summary>Tokens that its hours are for.</summary>
    public long Tokens => long.Parse(Text("tokens"), CultureInfo.InvariantCulture);

    /// <summary>The machines that it is planned for.</summary>
    public IReadOnlyList<RecipeMachine> Machines =>
        [.. (Block["machines"] as JsonArray)?.OfType<JsonObject>().Select(Machine) ?? []];

    /// <summary>All of them, by name.</summary>
    /// <exception cref="UserErrorException">One cannot be read.</exception>
    public static IReadOnlyList<TrainingRecipe> All() =>
        [
            .. Directory.GetFiles(Folder, "*.yaml").Order(StringComparer.Ordinal)
                .Select(path => new TrainingRecipe(Path.GetFileNameWithoutExtension(path), RunFile.Read(path))),
        ];

    /// <summary>One by its name.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static TrainingRecipe Named(string name)
    {
        var all = All();
        return all.FirstOrDefault(r => r.Name == name) ?? throw new UserErrorException(
            $"there is no recipe {name}{Spelling.DidYouMean(name, all.Select(r => r.Name))}; `dataflow recipe list` has them");
    }

    /// <summary>Writes other figures into its file.</summary>
    /// <exception cref="UserErrorException">It cannot be written, or has no machines at its end.</exception>
    public void Write(IEnumerable<RecipeMachine> machines)
    {
        string text = InputFile.ReadText(File.Path, new Bytes(1 << 20));
        int at = text.IndexOf(MachinesLine, StringComparison.Ordinal);
        if (at < 0)
        {
            throw new UserErrorException($"{File.Path} has no machines at its end to write figures of");
        }

        AtomicFile.WriteText(File.Path, text[..(at + MachinesLine.Length)] + string.Concat(machines.Select(Line)));
    }

    private static string Folder => Locations.Find(FolderName)
        ?? throw new UserErrorException("the recipes are not beside the program; install it whole");

    private JsonObject Block => File.Recipe
        ?? throw new UserErrorException($"{File.Path} says nothing of itself: it has no block `recipe`");

    private string Text(string name) => (Block[name] as JsonValue)?.GetValue<string>()
        ?? throw new UserErrorException($"{File.Path} does not say its {name}");

    private static string Line(RecipeMachine machine) => string.Create(
        CultureInfo.InvariantCulture,
        $"    - {{hardware: {machine.Hardware}, device: {machine.Device}, host: {machine.Host}{Line(machine.Figures)}}}\n");

    private static string Line(RecipeFigures? figures) => figures is not { } f ? "" : string.Create(
        CultureInfo.InvariantCulture,
        $", tok_per_sec: {f.TokensPerSecond}, hours: {f.Hours}, device_gib: {f.DeviceGib}, host_gib: {f.HostGib}");

    private static RecipeMachine Machine(JsonObject said)
    {
        double? Number(string name) =>
            double.TryParse($"{said[name]}", NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null;
        var figures = (Number("tok_per_sec"), Number("hours"), Number("device_gib"), Number("host_gib")) is
            ({ } speed, { } hours, { } device, { } host)
            ? new RecipeFigures(speed, hours, device, host)
            : null;
        return new RecipeMachine($"{said["hardware"]}", $"{said["device"]}", $"{said["host"]}", figures);
    }
}
