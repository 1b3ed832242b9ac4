"""The API's own document: its operations, and whether an answer is one that it has."""

import json
import sys
from pathlib import Path

import jsonschema

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from openapi.validator import validator  # noqa: E402, F401 (others take it from here)

DATE_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"


class Spec:
    """The document, with its operations by their ids."""

    def __init__(self, doc):
        self.doc = doc
        self.operations = {op["operationId"]: (path, method.upper(), op)
                           for path, item in doc["paths"].items() for method, op in item.items()}
        # An answer may have what its schema has, and nothing else.
        self.components = json.loads(json.dumps(doc["components"]))
        for schema in self.components["schemas"].values():
            schema["additionalProperties"] = False
        self.dates(self.components)

    def dates(self, node):
        if isinstance(node, dict):
            if node.pop("format", None) == "date-time":
                node["pattern"] = DATE_TIME
            node = list(node.values())
        for one in node if isinstance(node, list) else []:
            self.dates(one)

    def check(self, schema, value):
        jsonschema.Draft202012Validator({**schema, "components": self.components}).validate(value)

    def refuses(self, operation, body):
        """Whether the document says that this body is wrong."""
        schema = self.operations[operation][2]["requestBody"]["content"]["application/json"]["schema"]
        return not jsonschema.Draft202012Validator(schema).is_valid(body)
