using System.Xml.Linq;

namespace Dataflow.Architecture.Tests;

/// <summary>A project file: its name, the assembly it makes and the projects it refers to.</summary>
/// <param name="Path">Relative to the root of the checkout.</param>
/// <param name="References">Names of the projects it refers to.</param>
internal sealed record Project(string Path, string Name, string Assembly, IReadOnlyList<string> References)
{
    public string Folder => System.IO.Path.GetDirectoryName(Path)!;

    /// <summary>The compiled assembly: all of src lies beside the tests, through the two programs.</summary>
    public string AssemblyPath => System.IO.Path.Combine(AppContext.BaseDirectory, Assembly + ".dll");

    public static Project Read(string path)
    {
        var xml = XDocument.Load(Repository.Full(path));
        var name = System.IO.Path.GetFileNameWithoutExtension(path);
        return new Project(
            path,
            name,
            xml.Descendants("AssemblyName").FirstOrDefault()?.Value ?? name,
            [
                .. xml.Descendants("ProjectReference")
                    .Select(r => System.IO.Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/'))),
            ]
        );
    }
}
