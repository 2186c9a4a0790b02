using System.IO.Hashing;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The bytes of a model's matrices in a type of their own, made once and kept in a file, which is named by what they were made of: the
/// type and what tells the model's files from others. It only saves time, and may be deleted at any time.
/// </summary>
public sealed class QuantizedFile : IMatrixBytes
{
    private const int Version = 1;
    private const string KeyName = "made-of";
    private readonly SafetensorsFile file;

    private QuantizedFile(SafetensorsFile file) => this.file = file;

    /// <summary>As it was opened.</summary>
    public string Path => file.Path;

    /// <summary>The file of a model's folder, or that of a folder for what is kept; made if it is in neither.</summary>
    /// <param name="source">Weights of the model without an adapter.</param>
    /// <param name="fingerprint">What tells its files from others.</param>
    /// <param name="folder">Of the model.</param>
    /// <param name="elsewhere">Where it is kept if nothing can be written there; made if need be.</param>
    /// <param name="tell">Told, in a sentence, what is made and what cannot be written.</param>
    /// <returns>Null where it can be kept in neither.</returns>
    public static QuantizedFile? Open(IWeightSource source, string fingerprint, string folder, string elsewhere, Action<string> tell)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tell);
        string type = source.Model.BaseWeights!.Value.Name();
        string key = $"{Version} {type} {fingerprint}";
        string name = $"base-{type}-{Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(key)))[..16]}.blocks";
        var matrices = BaseMatrices.Of(source.Model).ToList();
        string[] places = [System.IO.Path.Combine(folder, name), System.IO.Path.Combine(elsewhere, name)];
        foreach (string place in places)
        {
            if (Find(place, key, matrices) is { } there)
            {
                return new QuantizedFile(there);
            }
        }

        tell($"the matrices of {source.Model.Name} are stored as {type} once, and kept in {places[0]}");
        return Make(places[0], key, source, matrices, e => tell($"{e}; they are kept in {places[1]}"))
            ?? Make(places[1], key, source, matrices, e => tell($"{e}; they are made anew each time"));
    }

    /// <inheritdoc/>
    public byte[] Read(BaseMatrix matrix)
    {
        var tensor = file.Find(matrix.Name)!;
        byte[] bytes = new byte[tensor.Count];
        tensor.ReadStored(0, bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    /// <summary>A file that holds all of that; null: there is none, or it is damaged.</summary>
    private static SafetensorsFile? Find(string path, string key, List<BaseMatrix> matrices)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        SafetensorsFile? found = null;
        try
        {
            found = SafetensorsFile.Open(path);
            if (found.Metadata.GetValueOrDefault(KeyName) == key
                && matrices.TrueForAll(m => found.Find(m.Name) is { Type: StoredType.U8 } t && t.Count == m.Matrix.Size.Value))
            {
                return found;
            }
        }
        catch (UserErrorException)
        {
            // It is made anew.
        }

        found?.Dispose();
        return null;
    }

    private static QuantizedFile? Make(
        string path,
        string key,
        IWeightSource source,
        List<BaseMatrix> matrices,
        Action<string> cannot
    )
    {
        // What cannot be read is an error, what cannot be written a note.
        bool Try(Action write)
        {
            try
            {
                write();
                return true;
            }
            catch (Exception e) when (e is UserErrorException || FileErrors.IsFileError(e))
            {
                cannot(e is UserErrorException ? e.Message : FileErrors.Unwritable(path, e).Message);
                return false;
            }
        }

        var tensors = matrices.ConvertAll(m => new TensorToWrite(m.Name, [m.Matrix.Size.Value], StoredType.U8));
        SafetensorsWriter? file = null;
        bool isThere = Try(() =>
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            file = SafetensorsWriter.Create(path, tensors, new Dictionary<string, string> { [KeyName] = key });
        });
        using var writer = file;
        foreach (var matrix in matrices.TakeWhile(_ => isThere))
        {
            byte[] bytes = matrix.StoreFrom(source);
            isThere = Try(() => writer!.WriteStored(matrix.Name, bytes));
        }

        return isThere && Try(writer!.Complete) ? new QuantizedFile(SafetensorsFile.Open(path)) : null;
    }
}
