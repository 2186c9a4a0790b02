using System.Text.Json.Nodes;

namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>A descriptor of the file that a fault is planted into.</summary>
internal sealed class PlantedDescriptor(JsonObject json, int place)
{
    public int Place => place;

    public int Type => (int)json["type"]!;

    /// <summary>An attribute by its number; null where there is none.</summary>
    public JsonNode? this[int name] => json["attributes"]!.AsArray().FirstOrDefault(a => (int)a!["name"]! == name);

    public void Remove(int name) => _ = json["attributes"]!.AsArray().Remove(this[name]);

    /// <summary>Leads what refers to one descriptor to another.</summary>
    public void Lead(int from, int to)
    {
        foreach (var references in json["attributes"]!.AsArray().Select(a => a!["descriptors"]).OfType<JsonArray>())
        {
            for (int i = 0; i < references.Count; i++)
            {
                if ((int)references[i]! == from)
                {
                    references[i] = to;
                }
            }
        }
    }
}

/// <summary>A graph of the file that faults are planted into.</summary>
internal sealed class PlantedGraph
{
    private readonly JsonObject json;
    private readonly List<PlantedDescriptor> all;

    public PlantedGraph(JsonObject json, GraphQuestion asked)
    {
        this.json = json;
        Backward = asked.Backward;
        Documents = asked.Documents;
        all = [.. json["descriptors"]!.AsArray().Select((d, i) => new PlantedDescriptor(d!.AsObject(), i))];
        Operations = [.. all[^1][801]!["descriptors"]!.AsArray().Select(p => (int)p!)];
    }

    public bool Backward { get; }

    public bool Documents { get; }

    /// <summary>Places of operations, as the graph will name them.</summary>
    public List<int> Operations { get; }

    public PlantedDescriptor Tensor(long id) => Descriptors(17).First(t => (long)t[906]!["values"]![0]! == id);

    public PlantedDescriptor TensorAt(JsonNode reference) => all[(int)reference["descriptors"]![0]!];

    public PlantedDescriptor[] Descriptors(int type) => [.. all.Where(d => d.Type == type)];

    /// <summary>The first pointwise function of a mode, with its attributes by number (0 is the mode).</summary>
    public PlantedDescriptor Function(int mode) => FunctionOf(OperationOf(mode));

    /// <summary>The function of an operation.</summary>
    public PlantedDescriptor FunctionOf(PlantedDescriptor operation) => all[(int)operation[750]!["descriptors"]![0]!];

    /// <summary>One of the operations of a mode.</summary>
    public PlantedDescriptor OperationOf(int mode, Index which = default) => OperationsOf(mode)[which];

    /// <summary>One of those of a mode that read the tensor of an id.</summary>
    public PlantedDescriptor Reading(int mode, long id, int which = 0)
    {
        int place = Tensor(id).Place;
        return OperationsOf(mode)
            .Where(o => new[] { 751, 752 }.Any(n => (int?)o[n]?["descriptors"]![0] == place))
            .ElementAt(which);
    }

    private PlantedDescriptor[] OperationsOf(int mode) =>
        [.. Descriptors(13).Where(o => (int)FunctionOf(o)[0]!["values"]![0]! == mode)];

    public void SwapOperations(int one, int other) => (Operations[one], Operations[other]) = (Operations[other], Operations[one]);

    public void Bypass(PlantedDescriptor operation)
    {
        int written = (int)operation[753]!["descriptors"]![0]!, read = (int)operation[751]!["descriptors"]![0]!;
        _ = Operations.Remove(operation.Place);
        all.ForEach(d => d.Lead(written, read));
    }

    public void Write() => all[^1][801]!["descriptors"] = new JsonArray([.. Operations.Select(p => (JsonNode)p)]);
}
